"""Compaction: the small files of closed days become few large ones, sorted so that queries skip.

A day is closed when no more than late rows can come for it. Its small files are taken together,
up to a target size, sorted by what queries of that table ask for, and put in the place of the old
ones in one commit (`lake.rewrite`): the same rows, no position moved. Workers may append meanwhile;
of two compactions that want the same files one wins, and the other goes on with the next. One that
is killed leaves the table as it was, or with some of its days done; run it again.

Memory: the rows of one new file at a time, as Arrow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import LiveFile, concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitContext, TableCommit
from lake.tables import Table

SORTED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "traces": ("started_at", "_partition", "_offset"),
    "feedback": ("trace_id", "occurred_at", "_partition", "_offset"),
    "labels": ("trace_id", "revision", "label_event_id"),
}
"""The order of rows in compacted files; in the tables that are not listed, that of the topics."""

_BY_COORDINATES: Final = ("_topic", "_partition", "_offset")
TARGET_BYTES: Final = 128 * 1024 * 1024
_LARGE_ENOUGH: Final = 0.6  # of the target: such a file is left as it is


@dataclass(frozen=True, slots=True)
class CompactionBatch:
    """Files of one day that shall become one. Sizes in bytes."""

    table: str
    day: date
    files: Sequence[LiveFile]

    @property
    def bytes(self) -> int:
        """Return the size of the files."""
        return sum(file.bytes for file in self.files)

    @property
    def rows(self) -> int:
        """Return the number of rows in the files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class CompactedBatch:
    """What became of a batch: the size of the new file, or None if another had taken its files."""

    batch: CompactionBatch
    bytes: int | None


def plan_compaction(
    table: Table, *, before: date, target_bytes: int = TARGET_BYTES
) -> list[CompactionBatch]:
    """Return what there is to compact in the days before ``before``, as of the newest version.

    Raises RetryableError or FatalError if the lake does not answer.
    """
    table.refresh()
    small = [
        file
        for file in list_live_files(table)
        if file.day < before and file.bytes < _LARGE_ENOUGH * target_bytes
    ]
    small.sort(key=lambda file: (file.day, file.path))
    return [
        CompactionBatch(table.name, day, files)
        for day, of_day in groupby(small, key=lambda file: file.day)
        for files in _portions(list(of_day), target_bytes)
        if len(files) > 1
    ]


def _portions(files: Sequence[LiveFile], target_bytes: int) -> Iterator[list[LiveFile]]:
    """Yield files in portions that make up to ``target_bytes`` together."""
    portion: list[LiveFile] = []
    for file in files:
        if portion and sum(f.bytes for f in portion) + file.bytes > target_bytes:
            yield portion
            portion = []
        portion.append(file)
    if portion:
        yield portion


def compact_batches(
    table: Table, batches: Sequence[CompactionBatch], context: CommitContext
) -> Iterator[CompactedBatch]:
    """Compact batch by batch, and yield each when it is done; then write a checkpoint.

    Raises FatalError if the lake does not answer in time, RetryableError if told to stop.
    """
    replaced = 0
    for batch in batches:
        size = _compact_one(table, batch, context)
        replaced += size is not None
        yield CompactedBatch(batch, size)
    if replaced:
        context.retry.call(f"checkpointing table {table.name}", lambda: _checkpoint(table))


def _checkpoint(table: Table) -> None:
    table.refresh()
    table.checkpoint()


def _compact_one(table: Table, batch: CompactionBatch, context: CommitContext) -> int | None:
    try:
        rows = context.retry.call(
            f"reading table {table.name}",
            lambda: concat_rows([read_file_rows(table, file) for file in batch.files]),
        )
        ordered = rows.sorted_by(*SORTED_BY.get(table.name, _BY_COORDINATES))
        new = rewrite_rows(table, ordered, instead_of=batch.files, retry=context.retry)
        change = TableCommit(
            entry=LedgerEntry(EntryKind.COMPACT, []),
            token=context.new_token(),
            removes=batch.files,
            adds=[new],
            same_rows=True,
        )
        replace_files(table, change, context)
    except FileReplacedError:
        return None
    return new.size
