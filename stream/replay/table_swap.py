"""Changes a live table for a replay: removes rows by their coordinates, adds staged rows.

Files with rows to remove are rewritten without them, one at a time; staged files are rewritten with
the rows to add. Everything is one commit, and no file is visible before it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lake import audit_chains
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind, LedgerEntry, SourceRange
from lake.live_files import LiveFile, UploadedFile, list_live_files, read_file_rows, rewrite_rows
from lake.retention_horizon import RETENTION_PARTS
from lake.rewrite import replace_or_add_files
from lake.table_commit import CommitContext, Condition, Guard, Move, TableCommit
from lake.table_log import AUDIT_CHAINS_KEY, REPLAY_KEY, adopted_app, retention_app
from lake.tables import Table
from stream.replay.offset_set import OffsetSet, RangeContents, match_rows
from stream.replay.plan import ReplayPlan


@dataclass(frozen=True, slots=True)
class RowChange:
    """The coordinates of the rows that one commit removes and adds.

    ``to_table`` and ``to_quarantine`` count, by partition, the records that move there.
    """

    removed: OffsetSet
    added: OffsetSet
    to_table: Mapping[int, int]
    to_quarantine: Mapping[int, int]
    moves: Sequence[Move]


@dataclass(frozen=True, slots=True)
class TableSwap:
    """Changes one table according to a plan. ``staged`` is the source of the added rows."""

    plan: ReplayPlan
    live: Table
    staged: Table
    context: CommitContext

    def make(
        self, contents: RangeContents, change: RowChange, on_written: Callable[[], None]
    ) -> None:
        """Write the files, then commit; ``contents`` is the live table as of its last refresh.

        Raises FencedError if the table has changed since: scan it again. Raises FatalError or
        RetryableError if the lake stays unavailable.
        """
        touched = contents.touched(change.removed)
        old = [file for file in list_live_files(self.live) if file.path in touched]
        new = [*self._write_remaining(old, change.removed), *self._write_added(change.added)]
        on_written()
        apps = [adopted_app(self.plan.topic), *map(retention_app, RETENTION_PARTS)]
        guards: list[Condition] = [Guard(app, self.live.txn_version(app)) for app in apps]
        guards.append(self._erasure_guard())
        self._commit(
            TableCommit(
                entry=self._entry(change),
                token=self.context.new_token(),
                moves=change.moves,
                guards=guards,
                removes=old,
                adds=new,
            )
        )

    def append_all(self, moves: Sequence[Move]) -> None:
        """Append all staged rows (of the audit) in one commit; errors as in `make`."""
        new: list[UploadedFile] = []
        counts: dict[int, int] = {span.partition: 0 for span in self.plan.spans}
        for file in list_live_files(self.staged):
            rows = read_file_rows(self.staged, file)
            new.append(
                rewrite_rows(
                    self.live,
                    rows,
                    instead_of=[self._with_unique_path(file)],
                    retry=self.context.retry,
                )
            )
            partitions, sizes = np.unique(np.asarray(rows.rows["_partition"]), return_counts=True)
            for partition, count in zip(partitions.tolist(), sizes.tolist(), strict=True):
                counts[partition] += count
        ranges = [
            SourceRange(self.plan.topic, span.partition, span.start, span.end, stored=count)
            for span in self.plan.spans
            if (count := counts[span.partition])
        ]
        chains = audit_chains.read_audit_chains(
            self.staged.commit_metadata(AUDIT_CHAINS_KEY), table=self.staged.name
        )
        self._commit(
            TableCommit(
                entry=LedgerEntry(EntryKind.REPLAY, ranges),
                token=self.context.new_token(),
                moves=moves,
                guards=[self._erasure_guard()],
                adds=new,
                metadata=audit_chains.audit_chain_metadata(chains),
            )
        )

    def _erasure_guard(self) -> Condition:
        """Return the guard for commits based on staged rows read after the last refresh."""
        return ERASURE_FENCE.guard(ERASURE_FENCE.value(self.live))

    def _write_remaining(
        self, old: Sequence[LiveFile], removed: OffsetSet
    ) -> Iterator[UploadedFile]:
        """Write the remaining rows of the replaced files."""
        for file in old:
            rows = read_file_rows(self.live, file)
            remaining = rows.filter(pa.array(~match_rows(rows.rows, self.plan, removed)))
            if len(remaining):
                yield rewrite_rows(
                    self.live, remaining, instead_of=[file], retry=self.context.retry
                )

    def _write_added(self, added: OffsetSet) -> Iterator[UploadedFile]:
        """Write the added rows of the staged files."""
        for file in list_live_files(self.staged):
            rows = read_file_rows(self.staged, file)
            added_rows = rows.filter(pa.array(added.mask(rows.rows)))
            if len(added_rows):
                named = [self._with_unique_path(file)]
                yield rewrite_rows(
                    self.live, added_rows, instead_of=named, retry=self.context.retry
                )

    def _with_unique_path(self, file: LiveFile) -> LiveFile:
        """Return a staged file under a path that is unique to this replay."""
        return replace(file, path=f"{self.plan.replay_id}/{file.path}")

    def _entry(self, change: RowChange) -> LedgerEntry:
        ranges = [
            SourceRange(
                self.plan.topic,
                span.partition,
                span.start,
                span.end,
                stored=change.to_table.get(span.partition, 0),
                quarantined=change.to_quarantine.get(span.partition, 0),
            )
            for span in self.plan.spans
        ]
        return LedgerEntry(EntryKind.REPLAY, ranges)

    def _commit(self, change: TableCommit) -> None:
        plan = {REPLAY_KEY: f"{self.plan.name} {self.plan.policy}"}
        marked = replace(change, metadata={**plan, **change.metadata})
        replace_or_add_files(self.live, marked, self.context)
