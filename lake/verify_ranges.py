"""The ranges of each source partition, as the ledgers of its table and of quarantine tell them.

In each incarnation of its topic they follow one another without gap or overlap up to the position,
each obeys the conservation laws (`lake.ledger`), and quarantine was given what they say was set
aside.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lake.cut import TableCut
from lake.ledger import (
    EntryKind,
    LoggedEntry,
    SourcePartition,
    SourceRange,
    rows_erased,
    rows_expired,
    rows_from_quarantine,
)


@dataclass(frozen=True, slots=True)
class PartitionProof:
    """What the log says of one source partition: offsets ``[start, end)`` and where they went.

    ``stored`` and ``quarantined`` are where the records are *now*: a record that was re-driven out
    of quarantine counts as stored, one that has expired in either of the two as ``rows_expired``, and
    likewise ``rows_erased``; ``dropped`` are those that were never in a table. ``begun`` is where the
    incarnation of the topic begins that the position belongs to, without adoptions the ``start``.
    ``epochs`` are the leader epochs of the last records of ranges, each with the offset that it
    reaches to; where ranges of before, or some that end in no record, have none, nothing stands.
    """

    topic: str
    partition: int
    start: int
    end: int
    consumed: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: int = 0
    skipped: int = 0
    expired: int = 0
    erased: int = 0
    begun: int = 0
    epochs: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as `goldpan lake verify --json` prints it.

        There ``dropped`` has all that is in no table for a reason that has a name, expired and
        erased records too, so that consumed = stored + quarantined + dropped whatever was done.
        """
        return {
            "topic": self.topic,
            "partition": self.partition,
            "from": self.start,
            "to": self.end,
            "consumed": self.consumed,
            "stored": self.stored,
            "quarantined": self.quarantined,
            "dropped": self.dropped + self.expired + self.erased,
            "skipped": self.skipped,
            "expired": self.expired,
            "erased": self.erased,
            "epochs": [list(one) for one in self.epochs],
        }


@dataclass(slots=True)
class RangeChain:
    """The ranges of one source partition, in the order of their commits."""

    proof: PartitionProof
    problems: list[str] = field(default_factory=list)
    spans: list[range] = field(default_factory=list)

    @classmethod
    def begin(cls, source: SourcePartition, offset: int) -> "RangeChain":
        """Begin at an offset, with nothing in it."""
        proof = PartitionProof(source.topic, source.partition, offset, offset, begun=offset)
        return cls(proof, spans=[range(offset, offset)])

    def adopt(self, offset: int) -> None:
        """Go on from where a person said to: another incarnation counts its offsets anew."""
        self.proof = replace(self.proof, end=offset, begun=offset, epochs=())
        self.spans.append(range(offset, offset))

    def add(self, item: SourceRange, where: str) -> None:
        """Take the next range; ``where`` is named by problems with it."""
        expected = self.proof.end
        if item.start > expected:
            gap = item.start - expected
            self.problems.append(
                f"{item.source}: {gap} offsets from {expected} are in no commit ({where})"
            )
        if item.start < expected:
            twice = min(expected, item.end) - item.start
            self.problems.append(
                f"{item.source}: {twice} offsets from {item.start} came twice ({where})"
            )
        self.problems += [f"{law} ({where})" for law in item.broken_laws()]
        old = self.proof
        self.proof = replace(
            old,
            end=max(expected, item.end),
            consumed=old.consumed + item.consumed,
            stored=old.stored + item.stored,
            quarantined=old.quarantined + item.quarantined,
            dropped=old.dropped + sum(item.dropped.values()),
            skipped=old.skipped + sum(item.skipped.values()),
            epochs=_with_epoch(old.epochs, item),
        )
        self.spans[-1] = range(self.spans[-1].start, self.proof.end)


def _with_epoch(epochs: tuple[tuple[int, int], ...], item: SourceRange) -> tuple[Any, ...]:
    """Return epochs with that of a range: it goes on, or another one begins."""
    if item.epoch is None:
        return epochs
    if epochs and epochs[-1][0] == item.epoch:
        epochs = epochs[:-1]
    return (*epochs, (item.epoch, item.end))


def range_chains(table: TableCut) -> tuple[dict[SourcePartition, RangeChain], list[str]]:
    """Return the ranges of a primary table by partition, and what is wrong with its positions."""
    chains: dict[SourcePartition, RangeChain] = {}
    for logged in table.ledger:
        where = f"table {table.name}, version {logged.table_version}"
        for item in logged.entry.ranges:
            if logged.entry.kind is EntryKind.ADOPT:
                chains.setdefault(item.source, RangeChain.begin(item.source, item.end)).adopt(
                    item.end
                )
            elif logged.entry.kind is EntryKind.FLUSH:
                chains.setdefault(item.source, RangeChain.begin(item.source, item.start)).add(
                    item, where
                )
    return chains, _off(table, {source: chain.proof.end for source, chain in chains.items()})


def count_redriven(ledger: Iterable[LoggedEntry]) -> dict[SourcePartition, int]:
    """Return how many records of each partition came from quarantine, on balance."""
    counts: dict[SourcePartition, int] = defaultdict(int)
    for logged in ledger:
        for item in logged.entry.ranges:
            counts[item.source] += rows_from_quarantine(logged.entry.kind, item)
    return counts


def count_expired_and_erased(
    ledger: Iterable[LoggedEntry],
) -> tuple[Counter[SourcePartition], Counter[SourcePartition]]:
    """Return how many rows of each partition have expired, and how many were erased."""
    old, forgotten = Counter[SourcePartition](), Counter[SourcePartition]()
    for logged in ledger:
        for item in logged.entry.ranges:
            old[item.source] += rows_expired(logged.entry.kind, item)
            forgotten[item.source] += rows_erased(logged.entry.kind, item)
    return old, forgotten


def group_by_source(
    ledger: Iterable[LoggedEntry],
) -> dict[SourcePartition, list[tuple[EntryKind, SourceRange]]]:
    """Return all ranges of each partition in their order, with what their commits were for."""
    found: dict[SourcePartition, list[tuple[EntryKind, SourceRange]]] = defaultdict(list)
    for logged in ledger:
        for item in logged.entry.ranges:
            found[item.source].append((logged.entry.kind, item))
    return found


def check_quarantine(
    chain: RangeChain, set_aside: Sequence[tuple[EntryKind, SourceRange]], redriven: int
) -> list[str]:
    """Compare with the quarantine table, which may be ahead of the primary by one flush."""
    proof, source = chain.proof, SourcePartition(chain.proof.topic, chain.proof.partition)
    flushed = [item for kind, item in set_aside if kind is EntryKind.FLUSH]
    possible = sum(item.quarantined for item in flushed)
    certain = _certain(chain.spans, set_aside)
    problems = []
    if not certain <= proof.quarantined <= possible:
        problems.append(
            f"{source}: {proof.quarantined} records were set aside, "
            f"but quarantine holds {certain if certain == possible else f'{certain} to {possible}'}"
        )
    taken_out = sum(rows_from_quarantine(kind, item) for kind, item in set_aside)
    if taken_out != redriven:
        problems.append(
            f"{source}: {redriven} records were brought from quarantine to their table, but "
            f"{taken_out} were taken out of quarantine: run `goldpan quarantine redrive` again (or "
            "`goldpan replay promote`, if that was begun), it finishes what was begun"
        )
    return problems


def _certain(spans: Sequence[range], set_aside: Sequence[tuple[EntryKind, SourceRange]]) -> int:
    """Count what was set aside of offsets that the primary table has passed, life by life."""
    count = life = 0
    for kind, item in set_aside:
        if kind is EntryKind.ADOPT:
            life += 1
        elif kind is EntryKind.FLUSH and life < len(spans):
            passed = spans[life].start <= item.start and item.end <= spans[life].stop
            count += item.quarantined if passed else 0
    return count


def check_row_count(table: TableCut, told: int) -> list[str]:
    """Compare the rows of a table with how many its commits say it has; ``told`` is that number."""
    if table.rows == told or not table.whole:
        return []
    return [f"table {table.name}: {table.rows} rows, but its commits told {told}"]


def check_positions(table: TableCut) -> list[str]:
    """Compare the positions of a table that follows a primary one with where its commits end."""
    ends: dict[SourcePartition, int] = {}
    for logged in table.ledger:
        for item in logged.entry.ranges:
            if logged.entry.kind is EntryKind.ADOPT:
                ends[item.source] = item.end
            elif logged.entry.kind is EntryKind.FLUSH:
                ends[item.source] = max(ends.get(item.source, 0), item.end)
    return _off(table, ends)


def _off(table: TableCut, ends: Mapping[SourcePartition, int]) -> list[str]:
    """Return a sentence for each position that is not where the commits end."""
    return [
        f"{source}: the position in table {table.name} is {position}, but its commits end at "
        f"{ends[source]}"
        for source, position in table.positions(list(ends)).items()
        if position != ends[source]
    ]
