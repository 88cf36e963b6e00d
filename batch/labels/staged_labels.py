"""Stages the label events of a replay in a separate table; the live table does not change.

They are added with a position, like all label events of jobs, so a killed run can continue. A mark
in the table shows that all events are staged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from batch.labels.existing_labels import read_events_in_force
from batch.labels.label_writer import number_label_rows
from batch.labels.recompute import LabelRecomputer, split_digest_set
from batch.numbered_rows import NumberedRows
from batch.progress import ReportProgress
from labels.difference import EventPair, LabelDifference, compare_labels
from labels.digests import DigestSet
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_log import RECONCILE_SEQUENCE
from lake.tables import Table
from schemas.records import LabelEvent

COMMIT_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class StagedLabels:
    """The staged events of some traces. ``app`` is the application id of the mark.

    ``on_unchanged`` receives the traces without a staged event because some of their evidence has
    expired: their labels stay as they are.
    """

    staged: Table
    app: str
    on_unchanged: Callable[[DigestSet], None]
    context: CommitContext

    @property
    def complete(self) -> bool:
        """Return whether all events are staged, as of the table's last refresh."""
        return self.staged.txn_version(self.app) is not None

    def stage(
        self, trace_ids: DigestSet, recomputer: LabelRecomputer, progress: ReportProgress
    ) -> None:
        """Recompute labels, and add the missing events. Errors as in `batch.labels.reconciler`."""
        rows = NumberedRows(self.staged, RECONCILE_SEQUENCE, EntryKind.RECONCILE, self.context)
        done, at = 0, rows.refresh_position()
        if self.complete:
            return
        for part in split_digest_set(trace_ids):
            progress("deciding labels", done, len(trace_ids))
            texts: dict[str, str] = {}
            step = partial(self._missing, part, recomputer, texts)
            missing, unchanged = self.context.retry.call("reading the lake", step)
            if len(unchanged):
                self.on_unchanged(unchanged)
            for start in range(0, len(missing), COMMIT_EVENTS):
                events = missing[start : start + COMMIT_EVENTS]
                rows.append(number_label_rows(rows, events, texts, at=at), at=at)
                at += len(events)
            done += len(part)
        self._mark()
        progress("deciding labels", done, len(trace_ids))

    def compare(
        self, trace_ids: DigestSet, unchanged: DigestSet, live: Table, *, samples: int
    ) -> LabelDifference:
        """Compare with the events in force in the live table; RetryableError as `lake.tables`.

        ``unchanged`` are the traces without a staged event.
        """
        for table in (live, self.staged):
            table.refresh()
        return compare_labels(self._pairs(trace_ids, unchanged, live), samples=samples)

    def _pairs(
        self, trace_ids: DigestSet, unchanged: DigestSet, live: Table
    ) -> Iterator[EventPair]:
        for part in split_digest_set(trace_ids):
            before, after = (
                read_events_in_force(live, part),
                read_events_in_force(self.staged, part),
            )
            for trace_id in sorted({*before, *after}):
                old = before.get(trace_id)
                new = old if trace_id in unchanged else after.get(trace_id)
                yield EventPair(trace_id, old, new)

    def _missing(
        self, part: DigestSet, recomputer: LabelRecomputer, texts: dict[str, str]
    ) -> tuple[list[LabelEvent], DigestSet]:
        """Return the events to add for a part, and its traces whose labels stay as they are."""
        staged = {
            event.label_event_id for event in read_events_in_force(self.staged, part).values()
        }
        missing, unchanged = [], []
        for label in recomputer.recompute(part, texts):
            if not label.complete:
                unchanged.append(label.trace_id)
            elif label.event is not None and label.event.label_event_id not in staged:
                missing.append(label.event)
        return missing, DigestSet.of(unchanged, part.seed)

    def _mark(self) -> None:
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RECONCILE, []),
            token=self.context.new_token(),
            moves=[Move(self.app, None, 1)],
        )
        commit(self.staged, change, self.context)
