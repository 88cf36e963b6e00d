"""Compaction: merges the small files of closed days into few large ones, sorted for queries.

A day is closed once only late rows can be added to it. Its small files are merged up to a target
size and sorted by the columns that queries filter on. They replace the old files in one commit
(`lake.rewrite`) with the same rows and unchanged positions. Of table ``traces`` the rows are left
out that a later revision of their trace has replaced (`batch.superseded_rows`); the commit says how
many of which shard. The highest revision always stays. Workers can append at the same time. If
two compactions replace the same files, one wins, and the other continues with its next batch. A
killed compaction leaves some days compacted, or none; run it again.

Memory: the rows of one new file at a time, as Arrow.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.superseded_rows import (
    LatestRevisions,
    find_outdated_files,
    read_latest_revisions,
)
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.live_files import LiveFile, concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitContext, TableCommit
from lake.tables import Table

SORTED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "traces": ("started_at", "_partition", "_offset"),
    "feedback": ("trace_id", "occurred_at", "_partition", "_offset"),
    "labels": ("trace_id", "revision", "label_event_id"),
    "judgements": ("judge", "judgement_id", "_offset"),
    "otel_spans": ("trace_id", "started_at", "_partition", "_offset", "_index"),
}
"""The order of rows in compacted files; other tables are sorted by coordinates."""

_BY_COORDINATES: Final = ("_topic", "_partition", "_offset", "_index")
TARGET_BYTES: Final = 128 * 1024 * 1024
_LARGE_ENOUGH: Final = 0.6  # of the target: larger files are left alone


@dataclass(frozen=True, slots=True)
class CompactionBatch:
    """Files of one day to merge into one. Sizes in bytes."""

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
    """A compacted batch: the size of the new file, None if another writer took its files.

    ``superseded`` counts the rows that were left out.
    """

    batch: CompactionBatch
    bytes: int | None
    superseded: int = 0


def plan_compaction(
    table: Table, *, before: date, target_bytes: int = TARGET_BYTES
) -> list[CompactionBatch]:
    """Return what to compact in the days before ``before``, as of the newest version.

    Several small files of a day are merged; one alone is written again only if it holds rows that
    later revisions have replaced.

    Raises RetryableError or FatalError if the lake does not answer.
    """
    table.refresh()
    small_files = [
        file
        for file in list_live_files(table)
        if file.day < before and file.bytes < _LARGE_ENOUGH * target_bytes
    ]
    small_files.sort(key=lambda file: (file.day, file.path))
    batches = [
        CompactionBatch(table.name, day, files)
        for day, of_day in groupby(small_files, key=lambda file: file.day)
        for files in _group_files(list(of_day), target_bytes)
    ]
    outdated = find_outdated_files(table, [b.day for b in batches if len(b.files) == 1])
    return [b for b in batches if len(b.files) > 1 or b.files[0].path in outdated]


def plan_outdated_files(table: Table, first: date, last: date) -> list[CompactionBatch]:
    """Return the files of some days (both included) that hold rows which later revisions replace.

    As of the table's last refresh; errors as `plan_compaction`.
    """
    files = [file for file in list_live_files(table) if first <= file.day <= last]
    outdated = find_outdated_files(table, {file.day for file in files})
    return [CompactionBatch(table.name, f.day, [f]) for f in files if f.path in outdated]


def _group_files(files: Sequence[LiveFile], target_bytes: int) -> Iterator[list[LiveFile]]:
    """Yield files in groups of up to ``target_bytes`` each."""
    group: list[LiveFile] = []
    for file in files:
        if group and sum(f.bytes for f in group) + file.bytes > target_bytes:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def compact_batches(
    table: Table, batches: Sequence[CompactionBatch], context: CommitContext
) -> Iterator[CompactedBatch]:
    """Compact batch by batch, and yield each when it is done; then write a checkpoint.

    Raises FatalError if the lake does not answer in time, RetryableError if stopped.
    """
    replaced = 0
    latest = context.retry.call(
        f"reading table {table.name}",
        lambda: read_latest_revisions(table, [batch.day for batch in batches]),
    )
    for batch in batches:
        compacted = _compact_batch(table, batch, latest, context)
        replaced += compacted.bytes is not None
        yield compacted
    if replaced:
        context.retry.call(f"checkpointing table {table.name}", lambda: _checkpoint(table))


def _checkpoint(table: Table) -> None:
    table.refresh()
    table.checkpoint()


def _compact_batch(
    table: Table, batch: CompactionBatch, latest: LatestRevisions, context: CommitContext
) -> CompactedBatch:
    try:
        rows = context.retry.call(
            f"reading table {table.name}",
            lambda: concat_rows([read_file_rows(table, file) for file in batch.files]),
        )
        replaced = latest.find_superseded(rows.rows)
        kept = rows.filter(pc.invert(replaced)) if pc.any(replaced).as_py() else rows
        ordered = kept.sorted_by(*SORTED_BY.get(table.name, _BY_COORDINATES))
        new = (
            [rewrite_rows(table, ordered, instead_of=batch.files, retry=context.retry)]
            if len(ordered)
            else []
        )
        replacement = TableCommit(
            entry=LedgerEntry(EntryKind.COMPACT, _left_out(rows.rows.filter(replaced))),
            token=context.new_token(),
            removes=batch.files,
            adds=new,
            same_rows=kept is rows,
        )
        replace_files(table, replacement, context)
    except FileReplacedError:
        return CompactedBatch(batch, None)
    return CompactedBatch(batch, sum(file.size for file in new), len(rows) - len(kept))


def _left_out(rows: pa.Table) -> list[SourceRange]:
    """Return how many of these rows are of which shard."""
    sources = zip(rows["_topic"].to_pylist(), rows["_partition"].to_pylist(), strict=True)
    counts = Counter(SourcePartition(*source) for source in sources)
    return [SourceRange(*source, 0, 0, stored=count) for source, count in sorted(counts.items())]
