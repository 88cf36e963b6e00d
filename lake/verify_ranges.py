"""Verifies the ranges of each source partition, from the ledgers of its table and quarantine.

In each incarnation of its topic they follow one another without gap or overlap up to the position.
Each range obeys the conservation laws (`lake.ledger`), and quarantine received the records that the
ranges say were rejected.
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
    items_uncovered,
    rows_erased,
    rows_expired,
    rows_from_quarantine,
    rows_superseded,
    rows_to_table,
)


@dataclass(frozen=True, slots=True)
class PartitionProof:
    """One source partition by the log: offsets ``[start, end)`` and where its records are.

    ``found`` are the items of the consumed records: one in each record of a contract, any number in
    one of spans. All that follows counts items. ``stored`` and ``quarantined`` count where they are
    *now*. One that was redriven out of quarantine counts as stored; one that was removed from
    either table counts as ``expired`` or ``erased``. ``dropped`` items were never in a table.
    ``superseded`` rows of the assembly were left out by a compaction: later revisions are there.

    ``begun`` is the offset at which the current incarnation of the topic begins; without adoptions
    it is ``start``. ``epochs`` are the leader epochs of the last records of ranges, each with the
    offset that it reaches. Ranges of earlier versions, and those that end in no record, have none.
    """

    topic: str
    partition: int
    start: int
    end: int
    consumed: int = 0
    found: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: int = 0
    skipped: int = 0
    expired: int = 0
    erased: int = 0
    superseded: int = 0
    begun: int = 0
    epochs: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as `goldpan lake verify --json` prints it.

        There ``dropped`` counts all records that are in no table for a named reason, expired and
        erased ones too, so that found = stored + quarantined + dropped always holds.
        """
        return {
            "topic": self.topic,
            "partition": self.partition,
            "from": self.start,
            "to": self.end,
            "consumed": self.consumed,
            "found": self.found,
            "stored": self.stored,
            "quarantined": self.quarantined,
            "dropped": self.dropped + self.expired + self.erased + self.superseded,
            "skipped": self.skipped,
            "expired": self.expired,
            "erased": self.erased,
            **({"superseded": self.superseded} if self.superseded else {}),
            "epochs": [list(epoch) for epoch in self.epochs],
        }


@dataclass(slots=True)
class RangeChain:
    """The ranges of one source partition, in the order of their commits."""

    proof: PartitionProof
    problems: list[str] = field(default_factory=list)
    spans: list[range] = field(default_factory=list)

    @classmethod
    def begin(cls, source: SourcePartition, offset: int) -> "RangeChain":
        """Return an empty chain that begins at an offset."""
        proof = PartitionProof(source.topic, source.partition, offset, offset, begun=offset)
        return cls(proof, spans=[range(offset, offset)])

    def adopt(self, offset: int) -> None:
        """Continue at the offset of an adoption: another incarnation has its own offsets."""
        self.proof = replace(self.proof, end=offset, begun=offset, epochs=())
        self.spans.append(range(offset, offset))

    def add(self, item: SourceRange, commit: str) -> None:
        """Add the next range; ``commit`` names its commit in problems."""
        expected = self.proof.end
        if item.start > expected:
            gap = item.start - expected
            self.problems.append(
                f"{item.source}: {gap} offsets from {expected} are in no commit ({commit})"
            )
        if item.start < expected:
            twice = min(expected, item.end) - item.start
            self.problems.append(
                f"{item.source}: {twice} offsets from {item.start} were committed twice ({commit})"
            )
        self.problems += [f"{law} ({commit})" for law in item.broken_laws()]
        old = self.proof
        self.proof = replace(
            old,
            end=max(expected, item.end),
            consumed=old.consumed + item.consumed,
            found=old.found + item.items,
            stored=old.stored + item.stored,
            quarantined=old.quarantined + item.quarantined,
            dropped=old.dropped + sum(item.dropped.values()),
            skipped=old.skipped + sum(item.skipped.values()),
            epochs=_with_epoch(old.epochs, item),
        )
        self.spans[-1] = range(self.spans[-1].start, self.proof.end)


def _with_epoch(epochs: tuple[tuple[int, int], ...], item: SourceRange) -> tuple[Any, ...]:
    """Return epochs extended by that of a range."""
    if item.epoch is None:
        return epochs
    if epochs and epochs[-1][0] == item.epoch:
        epochs = epochs[:-1]
    return (*epochs, (item.epoch, item.end))


def range_chains(table: TableCut) -> tuple[dict[SourcePartition, RangeChain], list[str]]:
    """Return the ranges of a primary table by partition, and the problems of its positions."""
    chains: dict[SourcePartition, RangeChain] = {}
    for logged in table.ledger:
        commit = f"table {table.name}, version {logged.table_version}"
        for item in logged.entry.ranges:
            if logged.entry.kind is EntryKind.ADOPT:
                chains.setdefault(item.source, RangeChain.begin(item.source, item.end)).adopt(
                    item.end
                )
            elif logged.entry.kind in {EntryKind.FLUSH, EntryKind.ASSEMBLE}:
                chains.setdefault(item.source, RangeChain.begin(item.source, item.start)).add(
                    item, commit
                )
    return chains, _compare_positions(
        table, {source: chain.proof.end for source, chain in chains.items()}
    )


@dataclass(slots=True)
class RedrivenRows:
    """What redrives and replays moved, of one partition: rows that left quarantine, rows that
    reached the table, and the items that redrives found and dropped.
    """

    left: int = 0
    reached: int = 0
    uncovered: int = 0
    dropped: int = 0

    def add(self, kind: EntryKind, item: SourceRange) -> None:
        """Add a range of a commit."""
        self.left += rows_from_quarantine(kind, item)
        self.reached += rows_to_table(kind, item)
        self.uncovered += items_uncovered(kind, item)
        self.dropped += sum(item.dropped.values()) if kind is EntryKind.REDRIVE else 0


def count_redriven(ledger: Iterable[LoggedEntry]) -> dict[SourcePartition, RedrivenRows]:
    """Return what redrives and replays moved, by partition."""
    counts: dict[SourcePartition, RedrivenRows] = defaultdict(RedrivenRows)
    for logged in ledger:
        for item in logged.entry.ranges:
            counts[item.source].add(logged.entry.kind, item)
    return counts


def count_superseded(ledger: Iterable[LoggedEntry]) -> Counter[SourcePartition]:
    """Return how many assembled rows of each shard compactions left out."""
    counts = Counter[SourcePartition]()
    for logged in ledger:
        for item in logged.entry.ranges:
            counts[item.source] += rows_superseded(logged.entry.kind, item)
    return counts


def count_expired_and_erased(
    ledger: Iterable[LoggedEntry],
) -> tuple[Counter[SourcePartition], Counter[SourcePartition]]:
    """Return how many rows of each partition have expired, and how many were erased."""
    expired, erased = Counter[SourcePartition](), Counter[SourcePartition]()
    for logged in ledger:
        for item in logged.entry.ranges:
            expired[item.source] += rows_expired(logged.entry.kind, item)
            erased[item.source] += rows_erased(logged.entry.kind, item)
    return expired, erased


def group_by_source(
    ledger: Iterable[LoggedEntry],
) -> dict[SourcePartition, list[tuple[EntryKind, SourceRange]]]:
    """Return all ranges of each partition in order, each with the kind of its commit."""
    by_source: dict[SourcePartition, list[tuple[EntryKind, SourceRange]]] = defaultdict(list)
    for logged in ledger:
        for item in logged.entry.ranges:
            by_source[item.source].append((logged.entry.kind, item))
    return by_source


def check_quarantine(
    chain: RangeChain, quarantine: Sequence[tuple[EntryKind, SourceRange]], redriven: int
) -> list[str]:
    """Compare with the quarantine table, which may be ahead of the primary table by one flush."""
    proof, source = chain.proof, SourcePartition(chain.proof.topic, chain.proof.partition)
    flushed = [item for kind, item in quarantine if kind is EntryKind.FLUSH]
    possible = sum(item.quarantined for item in flushed)
    certain = _count_certain(chain.spans, quarantine)
    problems = []
    if not certain <= proof.quarantined <= possible:
        problems.append(
            f"{source}: {proof.quarantined} records were rejected, "
            f"but quarantine holds {certain if certain == possible else f'{certain} to {possible}'}"
        )
    removed = sum(rows_from_quarantine(kind, item) for kind, item in quarantine)
    if removed != redriven:
        problems.append(
            f"{source}: {redriven} records were moved from quarantine to their table, but "
            f"{removed} were removed from quarantine: run `goldpan quarantine redrive` again, or "
            "`goldpan replay promote` if that was interrupted, to finish the move"
        )
    return problems


def _count_certain(
    spans: Sequence[range], quarantine: Sequence[tuple[EntryKind, SourceRange]]
) -> int:
    """Count rejected records whose offsets the primary table has passed, by incarnation."""
    count = incarnation = 0
    for kind, item in quarantine:
        if kind is EntryKind.ADOPT:
            incarnation += 1
        elif kind is EntryKind.FLUSH and incarnation < len(spans):
            passed = spans[incarnation].start <= item.start and item.end <= spans[incarnation].stop
            count += item.quarantined if passed else 0
    return count


def check_row_count(table: TableCut, logged: int) -> list[str]:
    """Compare the rows of a table with those that its commits account for (``logged``)."""
    if table.rows == logged or not table.is_complete:
        return []
    return [f"table {table.name} holds {table.rows} rows, but its commits account for {logged}"]


def check_positions(table: TableCut) -> list[str]:
    """Compare the positions of a table that follows a primary one with the ends of its commits."""
    ends: dict[SourcePartition, int] = {}
    for logged in table.ledger:
        for item in logged.entry.ranges:
            if logged.entry.kind is EntryKind.ADOPT:
                ends[item.source] = item.end
            elif logged.entry.kind is EntryKind.FLUSH:
                ends[item.source] = max(ends.get(item.source, 0), item.end)
    return _compare_positions(table, ends)


def _compare_positions(table: TableCut, ends: Mapping[SourcePartition, int]) -> list[str]:
    """Return a sentence for each position that differs from the end of the commits."""
    return [
        f"{source}: the position in table {table.name} is {position}, but its commits end at "
        f"{ends[source]}"
        for source, position in table.positions(list(ends)).items()
        if position != ends[source]
    ]
