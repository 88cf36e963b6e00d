"""The records that an erasure leaves: a note in each commit, and the signed receipt.

The receipt is made from the notes in the tables' logs, so it is the same whichever run finishes an
interrupted erasure. It names nobody: persons appear as marks, records by their coordinates.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from batch.erase.table_set import TableSet
from lake.ledger import RecordSource, record_source
from lake.table_log import ERASURE_KEY
from lake.tables import Table
from lake.tombstones import Tombstone
from redact.crypto.signing import Signer, add_signature, signing_bytes, verify_signature
from schemas.errors import UsageError

RECEIPT_FORMAT: Final = 1
OUT_OF_REACH: Final = (
    "the topics in Kafka: records and label events stay there until the topic's retention removes "
    "them; they are kept out of the lake when they are read again",
    "what was exported or copied out of the lake or its releases",
    "warehouses and engines that read the lake in place: copies made there, materialized views, "
    "cached results, files and lists of files, and their own history",
    "backups, and snapshots of disks and buckets",
    "the logs and traces of other programs",
)
"""Part of every receipt."""


_CLOCK_SKEW_MS: Final = 86_400_000

RecordCoordinates = Mapping[RecordSource, frozenset[int]]
"""Offsets of records, by partition; of items, by partition and place in the record."""


class CommitNote(NamedTuple):
    """The note in one commit of an erasure: the table's path, the version, what was removed."""

    table: str
    version: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class CommitNotes:
    """The notes in the logs of some tables. A commit never changes, so each is read once."""

    table_sets: Sequence[TableSet]
    _since_ms: int | None = None
    _read: dict[str, list[CommitNote]] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)

    def read(self, tombstones: Iterable[Tombstone]) -> Iterator[CommitNote]:
        """Yield the notes of the commits for some erasures, up to now.

        Raises RetryableError if a lake does not answer.
        """
        until = {tombstone.number: tombstone.until_us for tombstone in tombstones}
        if not until:
            return
        since_ms = min(until.values()) // 1000 - _CLOCK_SKEW_MS
        if self._since_ms is None or since_ms < self._since_ms:
            self._since_ms, self._read, self._versions = since_ms, {}, {}
        for table_set in self.table_sets:
            for name, table in sorted(table_set.tables.items()):
                for note in self._of_table(table_set.path_of(name), table, since_ms):
                    if note.body["erasure"] in until:
                        yield note

    def _of_table(self, path: str, table: Table, since_ms: int) -> Sequence[CommitNote]:
        table.refresh()
        notes = self._read.setdefault(path, [])
        after = self._versions.get(path, -1)
        new = table.commit_metadata(ERASURE_KEY, since_ms=since_ms, after=after)
        notes += [CommitNote(path, version, json.loads(text)) for version, text in new]
        self._versions[path] = table.handle.version()
        return notes


def build_receipt(  # noqa: PLR0913 - one argument a part of the receipt
    *,
    erasures: Sequence[int],
    until_us: int,
    made_at_us: int,
    subjects: Mapping[str, Sequence[str]],
    searched: Iterable[str],
    notes: Iterable[CommitNote],
    releases: Sequence[Mapping[str, Any]],
    not_searched: Mapping[str, int],
    evaluations: Sequence[Mapping[str, Any]] = (),
    reference: str | None = None,
    lost_keys: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the content of a receipt.

    ``searched`` are the paths of the tables that were searched: those with no row of the person
    are in it too, with counts of 0. ``evaluations`` are kept runs of gates that lost answers to the
    rows of others, which name the person. ``lost_keys`` are the ids of redaction keys that are
    lost: rows written under them could not be searched.
    """
    lost = {"redaction_keys": sorted(lost_keys)} if lost_keys else {}
    tables = {path: _count_nothing() for path in searched}
    for note in notes:
        entry = tables.setdefault(note.table, _count_nothing())
        entry["own"] += note.body["own"]
        entry["mentions"] += note.body["mentions"]
        entry["versions"].append(note.version)
        for partition, offsets in note.body.get("places", {}).items():
            entry["records"].setdefault(partition, []).append(offsets)
    return {
        "format": RECEIPT_FORMAT,
        "erasures": list(erasures),
        "until_us": until_us,
        "made_at_us": made_at_us,
        "subjects": {name: sorted(marks) for name, marks in sorted(subjects.items())},
        "tables": dict(sorted(tables.items())),
        "releases": list(releases),
        **({"evaluations": list(evaluations)} if evaluations else {}),
        "not_looked_into": {**not_searched, **lost},
        "out_of_reach": list(OUT_OF_REACH),
        **({} if reference is None else {"reference": reference}),
    }


def _count_nothing() -> dict[str, Any]:
    return {"own": 0, "mentions": 0, "versions": [], "records": {}}


def sign_receipt(body: Mapping[str, Any], signer: Signer) -> bytes:
    """Return a receipt as it is stored; the same content and key give the same bytes."""
    return (json.dumps(add_signature(body, signer), indent=1, sort_keys=True) + "\n").encode()


def read_receipt(data: bytes, name: str) -> tuple[dict[str, Any], str | None]:
    """Return the content of a receipt, and the public key that signed it, None if none did.

    Raises UsageError, which calls it ``name``, if it is not a receipt.
    """
    try:
        receipt = json.loads(data)
        key, signature = str(receipt.pop("signed_by")), str(receipt.pop("signature"))
        if receipt["format"] > RECEIPT_FORMAT:
            raise UsageError(f"{name} is a receipt of a newer goldpan: use that version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{name} is not a receipt of an erasure") from None
    return receipt, key if verify_signature(key, signing_bytes(receipt), signature) else None


def coordinates_in_notes(bodies: Iterable[Mapping[str, Any]]) -> RecordCoordinates:
    """Return all coordinates in the notes of commits."""
    by_source: dict[RecordSource, frozenset[int]] = {}
    for body in bodies:
        for name, text in body.get("places", {}).items():
            topic, _, place = name.rpartition("/")
            partition, _, item = place.partition("#")
            source = record_source(topic, int(partition), int(item) if item else None)
            by_source[source] = by_source.get(source, frozenset()) | parse_spans(text)
    return by_source


def coordinates_in_receipts(
    receipts: Iterable[Mapping[str, Any]], table: str | None = None
) -> RecordCoordinates:
    """Return all coordinates in receipts, or those in the tables of one name."""
    return coordinates_in_notes(
        {"places": {source: ",".join(spans) for source, spans in entry["records"].items()}}
        for receipt in receipts
        for path, entry in receipt["tables"].items()
        if table is None or path.rpartition("/")[2] == table
    )


def label_events_in_notes(bodies: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of label events in notes; only earlier versions wrote ids."""
    return frozenset(event for body in bodies for event in body.get("events", ()))


def event_marks_in_notes(bodies: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Return the marks of label events in notes, by the name of the key."""
    by_key: dict[str, set[str]] = {}
    for body in bodies:
        for name, marks in body.get("event_marks", {}).items():
            by_key.setdefault(name, set()).update(marks)
    return {name: frozenset(marks) for name, marks in by_key.items()}


def format_spans(offsets: Iterable[int]) -> str:
    """Return offsets as text, such as ``3,7-9``."""
    ordered = np.array(sorted(offsets), np.int64)
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts if len(p))


def parse_spans(text: str) -> frozenset[int]:
    """Return the offsets that `format_spans` wrote."""
    offsets: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        offsets.update(range(int(first), int(last or first) + 1))
    return frozenset(offsets)
