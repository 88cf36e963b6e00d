"""The ledger: which offsets each commit covers, and how many records went where.

An entry is stored in the commit's own metadata (key ``goldpan``). So proving that nothing was lost
or doubled needs nothing but the table's transaction log. Each range obeys the laws

    found = stored + quarantined + dropped        consumed + skipped = end - start

A Kafka record of a contract is one item, so as many are found as were consumed. One of spans holds
any number of items; one that cannot be read counts as one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

from lake.delta_log import DamagedLogError
from lake.table_log import LEDGER_KEY
from schemas.errors import FatalError

LEDGER_VERSION = 1


class SourcePartition(NamedTuple):
    """A partition of a topic. Positions belong to source partitions."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class ItemSource(NamedTuple):
    """The items with one place (``item``) in the records of a source partition."""

    topic: str
    partition: int
    item: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}#{self.item}"


RecordSource: TypeAlias = SourcePartition | ItemSource
"""Where offsets belong to: those of whole records, or those of single items."""


def record_source(topic: str, partition: int, item: int | None) -> RecordSource:
    """Return where the offset of a row belongs to, by its coordinates."""
    if item is None:
        return SourcePartition(topic, partition)
    return ItemSource(topic, partition, item)


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One incarnation of a topic: recreating it, or another cluster, gives another one."""

    cluster_id: str
    topic_id: str

    def version(self) -> int:
        """Return the number in [0, 2**63) of this incarnation in a table's log.

        Delta keeps only a number per application transaction; a hash of the two ids lets a reader
        compare them without searching the history.
        """
        digest = blake2b(f"{self.cluster_id}\0{self.topic_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1


class EntryKind(StrEnum):
    """What a commit was for."""

    FLUSH = "flush"
    ADOPT = "adopt"
    REDRIVE = "redrive"
    CLAIM = "claim"
    RECONCILE = "reconcile"
    REVIEW = "review"
    JUDGE = "judge"
    REPLAY = "replay"
    COMPACT = "compact"
    RETENTION = "retention"
    ERASE = "erase"
    RELABEL = "relabel"
    ASSEMBLE = "assemble"


@dataclass(frozen=True, slots=True)
class SourceRange:
    """The offsets ``[start, end)`` of one source partition, and how many records went where.

    ``first`` and ``last`` are the offsets of the first and last record that exists in the range
    (None where there is none). ``dropped`` and ``skipped`` count by the name of their rule.
    ``epoch`` is the leader epoch of the record at ``end - 1``, None where it is not known.
    ``found`` is how many items the records held; None stands for one in each.
    """

    topic: str
    partition: int
    start: int
    end: int
    first: int | None = None
    last: int | None = None
    consumed: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    epoch: int | None = None
    found: int | None = None

    @property
    def items(self) -> int:
        """Return how many items the consumed records held."""
        return self.consumed if self.found is None else self.found

    @property
    def source(self) -> SourcePartition:
        """Return the partition that this range belongs to."""
        return SourcePartition(self.topic, self.partition)

    def broken_laws(self) -> list[str]:
        """Return one sentence for each law that this range breaks; none if it is sound."""
        name = f"{self.source} [{self.start}, {self.end})"
        dropped, skipped = sum(self.dropped.values()), sum(self.skipped.values())
        broken = []
        if self.items != self.stored + self.quarantined + dropped:
            what = f"consumed {self.consumed} records"
            if self.found is not None:
                what = f"found {self.found} items"
            broken.append(
                f"{name}: {what}, but stored {self.stored}, "
                f"quarantined {self.quarantined} and dropped {dropped}"
            )
        if self.consumed + skipped != self.end - self.start:
            broken.append(
                f"{name}: {self.end - self.start} offsets, but consumed {self.consumed} "
                f"and skipped {skipped}"
            )
        return broken


def rows_from_quarantine(kind: EntryKind, item: SourceRange) -> int:
    """Return how many rows a commit took from quarantine to move them to their table, net.

    The entries of both tables agree. A redrive counts in ``quarantined`` what leaves quarantine and
    in ``stored`` what reaches the table: a record that could not be read was one row there, and may
    hold many spans. A replay moves records both ways: ``stored`` counts those that go to their
    table, ``quarantined`` those that go to quarantine.
    """
    if kind is EntryKind.REDRIVE:
        return item.quarantined
    return item.stored - item.quarantined if kind is EntryKind.REPLAY else 0


def rows_to_table(kind: EntryKind, item: SourceRange) -> int:
    """Return how many rows a commit moved from quarantine into their table, net."""
    return item.stored if kind is EntryKind.REDRIVE else rows_from_quarantine(kind, item)


def items_uncovered(kind: EntryKind, item: SourceRange) -> int:
    """Return how many more items a redrive has found in records that could not be read before."""
    if kind is not EntryKind.REDRIVE:
        return 0
    return item.stored + sum(item.dropped.values()) - item.quarantined


def rows_expired(kind: EntryKind, item: SourceRange) -> int:
    """Return how many rows of a partition a commit removed because of their age."""
    return item.stored if kind is EntryKind.RETENTION else 0


def rows_erased(kind: EntryKind, item: SourceRange) -> int:
    """Return how many rows of a partition a commit removed to erase a person."""
    return item.stored if kind is EntryKind.ERASE else 0


def rows_superseded(kind: EntryKind, item: SourceRange) -> int:
    """Return how many rows of a shard a compaction left out: later revisions replace them."""
    return item.stored if kind is EntryKind.COMPACT else 0


def rows_relabelled(kind: EntryKind, item: SourceRange) -> int:
    """Return how many label events of a partition a commit replaced."""
    return sum(item.dropped.values()) if kind is EntryKind.RELABEL else 0


def rows_added(kind: EntryKind, item: SourceRange) -> int:
    """Return how many rows of a partition a commit added to its table, net."""
    if kind in {EntryKind.RETENTION, EntryKind.ERASE, EntryKind.COMPACT}:
        return -item.stored
    return item.stored - rows_relabelled(kind, item)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The ledger entry of one commit. ``incarnations`` is by topic."""

    kind: EntryKind
    ranges: Sequence[SourceRange]
    incarnations: Mapping[str, Incarnation] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Return the entry as commit metadata."""
        body = {
            "v": LEDGER_VERSION,
            "kind": str(self.kind),
            "ranges": [_range_to_json(r) for r in self.ranges],
            "incarnations": {
                topic: [i.cluster_id, i.topic_id] for topic, i in self.incarnations.items()
            },
        }
        return {LEDGER_KEY: json.dumps(body, separators=(",", ":"))}


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry as read back, with the table version that holds it."""

    table_version: int
    entry: LedgerEntry


def _range_to_json(item: SourceRange) -> dict[str, Any]:
    body: dict[str, Any] = {"t": item.topic, "p": item.partition, "from": item.start}
    body |= {"to": item.end, "first": item.first, "last": item.last, "consumed": item.consumed}
    body |= {"stored": item.stored, "quarantined": item.quarantined}
    body |= {"dropped": dict(item.dropped), "skipped": dict(item.skipped)}
    optional = {"epoch": item.epoch, "found": item.found}
    return body | {name: value for name, value in optional.items() if value is not None}


def _range_from_json(body: Mapping[str, Any]) -> SourceRange:
    return SourceRange(
        topic=body["t"],
        partition=body["p"],
        start=body["from"],
        end=body["to"],
        first=body["first"],
        last=body["last"],
        consumed=body["consumed"],
        stored=body["stored"],
        quarantined=body["quarantined"],
        dropped=body["dropped"],
        skipped=body["skipped"],
        epoch=body.get("epoch"),
        found=body.get("found"),
    )


def parse_ledger_entry(text: str, *, origin: str) -> LedgerEntry:
    """Read an entry from commit metadata.

    Raises FatalError, naming ``origin``, if the entry was written by a newer version or is damaged.
    """
    try:
        body = json.loads(text)
        if body["v"] != LEDGER_VERSION:
            raise FatalError(
                f"{origin}: the ledger entry has version {body['v']}, this program reads "
                f"{LEDGER_VERSION}: use the version of goldpan that wrote it, or a newer one"
            )
        return LedgerEntry(
            kind=EntryKind(body["kind"]),
            ranges=[_range_from_json(r) for r in body["ranges"]],
            incarnations={t: Incarnation(*pair) for t, pair in body["incarnations"].items()},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedLogError(
            f"{origin}: the ledger entry cannot be read ({type(error).__name__})"
        ) from None


def read_ledger(history: Iterable[Mapping[str, Any]], *, table: str) -> list[LoggedEntry]:
    """Return the ledger entries of a table's history, oldest first.

    ``history`` is the result of ``DeltaTable.history()`` (newest first). Commits of other programs,
    which have no entry, are skipped.
    """
    entries = [
        LoggedEntry(
            commit["version"],
            parse_ledger_entry(
                commit[LEDGER_KEY], origin=f"table {table}, version {commit['version']}"
            ),
        )
        for commit in history
        if LEDGER_KEY in commit
    ]
    return sorted(entries, key=lambda logged: logged.table_version)
