"""Label events that a replay proposes: in a table of its own, beside those that are in force.

They are added with a position, as all label events of jobs are; so a run that was killed goes on,
and a mark says when all are there. Nothing of the live table is touched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from batch.labels.existing_labels import read_events_in_force
from batch.labels.label_writer import number_label_rows
from batch.labels.recompute import LabelRecomputer, split_digest_set
from batch.numbered_rows import NumberedRows
from labels.difference import EventPair, LabelDifference, compare_labels
from labels.digest_set import DigestSet
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_log import RECONCILE_SEQUENCE
from lake.tables import Table
from schemas.records import LabelEvent

COMMIT_EVENTS = 20_000

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it is, and of how much."""


@dataclass(frozen=True, slots=True)
class StagedLabels:
    """The events that are proposed for some traces. ``app`` is under what the mark is kept.

    ``leave`` is told of traces that nothing is proposed for, since some of their evidence has
    expired: their labels stay as they are.
    """

    staged: Table
    app: str
    leave: Callable[[DigestSet], None]
    means: CommitContext

    @property
    def complete(self) -> bool:
        """Return whether all are there, as of the table's last refresh."""
        return self.staged.txn_version(self.app) is not None

    def make(self, wanted: DigestSet, anew: LabelRecomputer, progress: Progress) -> None:
        """Decide, and add what is missing. Errors as in `batch.labels.reconciler`."""
        rows = NumberedRows(self.staged, RECONCILE_SEQUENCE, EntryKind.RECONCILE, self.means)
        done, at = 0, rows.refresh_position()
        if self.complete:
            return
        for part in split_digest_set(wanted):
            progress("deciding labels", done, len(wanted))
            texts: dict[str, str] = {}
            decide = partial(self._missing, part, anew, texts)
            missing, left = self.means.retry.call("reading the lake", decide)
            if len(left):
                self.leave(left)
            for start in range(0, len(missing), COMMIT_EVENTS):
                some = missing[start : start + COMMIT_EVENTS]
                rows.append(number_label_rows(rows, some, texts, at=at), at=at)
                at += len(some)
            done += len(part)
        self._mark()
        progress("deciding labels", done, len(wanted))

    def difference(
        self, wanted: DigestSet, left: DigestSet, live: Table, *, samples: int
    ) -> LabelDifference:
        """Compare with the events in force in the live table; RetryableError as `lake.tables`.

        ``left`` are the traces that nothing is proposed for.
        """
        for table in (live, self.staged):
            table.refresh()
        return compare_labels(self._pairs(wanted, left, live), samples=samples)

    def _pairs(self, wanted: DigestSet, left: DigestSet, live: Table) -> Iterator[EventPair]:
        for part in split_digest_set(wanted):
            before, after = (
                read_events_in_force(live, part),
                read_events_in_force(self.staged, part),
            )
            for trace_id in sorted({*before, *after}):
                now = before.get(trace_id)
                yield EventPair(trace_id, now, now if trace_id in left else after.get(trace_id))

    def _missing(
        self, part: DigestSet, anew: LabelRecomputer, texts: dict[str, str]
    ) -> tuple[list[LabelEvent], DigestSet]:
        """Return what is to be added for a part, and the traces of it that are left alone."""
        there = {event.label_event_id for event in read_events_in_force(self.staged, part).values()}
        missing, left = [], []
        for decision in anew.decisions(part, texts):
            if not decision.whole:
                left.append(decision.trace_id)
            elif decision.event is not None and decision.event.label_event_id not in there:
                missing.append(decision.event)
        return missing, DigestSet.of(left, part.seed)

    def _mark(self) -> None:
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RECONCILE, []),
            token=self.means.new_token(),
            moves=[Move(self.app, None, 1)],
        )
        commit(self.staged, change, self.means)
