"""The sequences of the assembly: rows of ``traces`` and ``feedback`` are numbered in each shard.

To a table a shard is a source with a position, like a partition of a topic: the next number to
assign. It moves in the commit of the rows, so two owners of a shard fence each other. Beside it
``traces`` keeps the mark of the shard, a version of ``otel_spans``: every trace whose rows all lie
at or below it has been assembled.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.table_commit import CommitContext, Condition, Move, TableCommit
from lake.table_log import ASSEMBLY_SEQUENCE, assembly_mark_app, position_app
from lake.table_writer import TableWriter
from lake.tables import Table
from redact.pipeline.assembled_rows import RowNumbers, number_assembled_rows
from schemas.errors import RetryableError
from schemas.redacted import Redacted


@dataclass(frozen=True, slots=True)
class NumberedShardRows:
    """Rows that are numbered, and how many there are of each shard."""

    rows: Redacted[pa.RecordBatch]
    counts: Mapping[int, int]


def number_shard_rows(
    rows: Redacted[pa.RecordBatch], numbers: Sequence[RowNumbers]
) -> NumberedShardRows:
    """Return the rows that have numbers, in the order of their shards and numbers."""
    ordered = sorted(numbers, key=lambda each: (each.shard, each.number))
    counts = Counter(each.shard for each in ordered)
    return NumberedShardRows(number_assembled_rows(rows, ordered), counts)


@dataclass
class ShardSequences:
    """The positions of shards in one table, and their marks, as this owner knows them.

    ``reached`` is called when files are written and when they are committed.
    """

    table: Table
    context: CommitContext
    reached: Callable[[str], None] = lambda _step: None
    positions: dict[int, int] = field(default_factory=dict)
    marks: dict[int, int | None] = field(default_factory=dict)

    def load(self, shards: Collection[int]) -> None:
        """Take the positions and marks of shards from the table's last refresh."""
        self.positions = {shard: self._number(position_app(_source(shard))) for shard in shards}
        self.marks = {shard: self.table.txn_version(assembly_mark_app(shard)) for shard in shards}

    def _number(self, app: str) -> int:
        return self.table.txn_version(app) or 0

    def commit(
        self,
        rows: NumberedShardRows | None,
        marks: Mapping[int, int],
        guards: Sequence[Condition] = (),
    ) -> None:
        """Commit rows that are numbered from the positions on, and move marks.

        Does nothing if nothing would change. Raises FencedError if another owner has moved a
        position or a mark, or if a guard fails: then this owner must read everything again.
        Otherwise as `lake.commit.commit`.
        """
        counts = {} if rows is None else rows.counts
        ranges = [
            SourceRange(*_source(shard), at, at + count, at, at + count - 1, count, count)
            for shard, count in sorted(counts.items())
            for at in (self.positions[shard],)
        ]
        moves = [
            Move(position_app(each.source), each.start or None, each.end) for each in ranges
        ] + [
            Move(assembly_mark_app(shard), self.marks[shard], to)
            for shard, to in sorted(marks.items())
            if self.marks[shard] != to
        ]
        if not moves:
            return
        writer = TableWriter(self.table, self.context)
        writer.check_ceilings(guards)
        prepared = writer.prepare([] if rows is None else [rows.rows], ranges)
        self.reached("written")
        change = TableCommit(
            entry=LedgerEntry(EntryKind.ASSEMBLE, ranges),
            token=self.context.new_token(),
            moves=moves,
            guards=guards,
            adds=prepared.files,
        )
        commit(self.table, change, self.context)
        self.reached("committed")
        self.positions |= {each.partition: each.end for each in ranges}
        self.marks |= marks
        with contextlib.suppress(RetryableError):  # the next commit writes it
            writer.checkpoint_if_due()


def _source(shard: int) -> SourcePartition:
    return SourcePartition(ASSEMBLY_SEQUENCE, shard)
