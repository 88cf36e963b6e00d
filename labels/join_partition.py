"""The join of one partition: which traces and feedback of the window are known, in columns.

Traces and feedback may come in any order. Feedback whose trace has not come makes a row that waits
for it. Of each record only one thing is asked of the policy: may it change a label? Such traces are
remembered as touched until the next decision. Times are microseconds since 1970 (UTC).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from labels.batches import BoolArray, FeedbackRows, IntArray, TraceContext, TraceRows
from labels.digests import DigestPairs, audit_draws, digest_ids
from labels.facts import SessionStatus, TraceFacts, TraceKnowledge
from labels.feedback_table import FeedbackTable, renumber_rows
from labels.growable_columns import ColumnLayout, GrowableColumns, GrowableTexts
from labels.hash_index import NO_ROW, HashIndex, RowNumbers
from labels.policy import LabelPolicy
from labels.readings import ERROR, TRUNCATED
from labels.retry_chains import RetryChains, retry_keys
from labels.written_marks import NOT_WRITTEN
from schemas.record_batches import RecordKind

TRACE_ARRIVED: Final = np.uint8(1)
TRACE_FAILED: Final = np.uint8(2)
TRACE_TRUNCATED: Final = np.uint8(4)
TRACE_RETRIED: Final = np.uint8(8)

_TRACES: Final[ColumnLayout] = {
    "key": (np.uint64, 2),
    "started": (np.int64, 1),
    "offset": (np.int64, 1),
    "context": (np.int32, 1),
    "flags": (np.uint8, 1),
    "head": (np.int32, 1),
    "told": (np.uint64, 1),
}
_FOREVER: Final = 2**62


class TriggerRecord(NamedTuple):
    """The record that changed what is known of a trace last. ``at`` is its event time."""

    kind: RecordKind
    offset: int
    at: int


@dataclass(slots=True)
class JoinCounts:
    """What became of records, since the join was last asked.

    ``late`` came after their window: not joined here, but by a batch job. ``unmatched`` are traces
    that had feedback waiting for the whole window and never came. ``repeated`` were known already.
    """

    late_traces: int = 0
    late_feedback: int = 0
    unmatched: int = 0
    repeated: int = 0


class JoinPartition:
    """State of one partition; nothing outside refers into it, so it can be dropped at any time."""

    def __init__(self, policy: LabelPolicy, window: int | None) -> None:
        """``window`` in microseconds, None for a batch job, which forgets nothing."""
        self.counts = JoinCounts()
        self.watermark = -_FOREVER
        self.touched: dict[int, TriggerRecord] = {}
        self._policy = policy
        self._window = _FOREVER if window is None else window
        self._traces, self._ids, self._trace_index = (
            GrowableColumns(_TRACES),
            GrowableTexts(),
            HashIndex(),
        )
        self._feedback = FeedbackTable(policy)
        self._retries = RetryChains(policy.retry_micros) if policy.judges_retries else None
        self._contexts: list[TraceContext] = []
        self._context_numbers: dict[TraceContext, int] = {}
        self._swept_at = self.watermark

    # -- what is in it --------------------------------------------------------------------------

    @property
    def traces(self) -> int:
        """Return how many traces are in the window."""
        return int(np.count_nonzero(self._traces["flags"] & TRACE_ARRIVED))

    @property
    def waiting(self) -> int:
        """Return how many traces are not here yet but have feedback already."""
        return len(self._traces) - self.traces

    @property
    def feedback(self) -> int:
        """Return how many feedback events are kept."""
        return len(self._feedback)

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory it takes."""
        parts = (self._traces, self._ids, self._trace_index, self._feedback)
        retries = self._retries.nbytes if self._retries is not None else 0
        return sum(part.nbytes for part in parts) + retries + 200 * len(self._contexts)

    def rows_of(self, keys: DigestPairs) -> RowNumbers:
        """Return the row of each trace, -1 where it is not known."""
        return self._trace_index.find(keys, self._traces["key"])

    def all_rows(self) -> range:
        """Return the numbers of all rows, those that wait for their trace included."""
        return range(len(self._traces))

    def known(
        self, row: int, *, closed: bool = False, session: SessionStatus = "not judged"
    ) -> TraceKnowledge:
        """Return what is known of the trace in a row; no verdicts, which are kept elsewhere."""
        flags = self._traces["flags"][row]
        return TraceKnowledge(
            trace_id=self._ids[row],
            seen=self._seen(row) if flags & TRACE_ARRIVED else None,
            said=self._feedback.chain(int(self._traces["head"][row])),
            retried=bool(flags & TRACE_RETRIED),
            session=session,
            closed=closed,
        )

    def started(self, row: int) -> int:
        """Return when the trace began; if it has not come, when the last feedback on it was."""
        return int(self._traces["started"][row])

    def rests_on(self, rows: RowNumbers, offsets: IntArray) -> BoolArray:
        """Tell for each row whether the record at an offset is the one that counts for it."""
        return np.equal(self._traces["offset"][rows], offsets)

    def told(self, row: int) -> int:
        """Return the mark of what was written last about the trace in a row (see `labels.written_marks`)."""
        return int(self._traces["told"][row])

    def tell(self, keys: DigestPairs, marks: npt.NDArray[np.uint64]) -> None:
        """Take note of what has been written; of several about one trace the last counts."""
        rows = self.rows_of(keys)
        here = rows != NO_ROW
        self._traces["told"][rows[here]] = marks[here]

    # -- records come in ------------------------------------------------------------------------

    def add_traces(self, rows: TraceRows, fresh: BoolArray) -> None:
        """Take in traces. ``fresh`` marks those that no label has been written for yet.

        Of one trace id the first offset counts; what comes again is ignored.
        """
        first = _first_of_each(rows.keys, rows.offset)
        self.counts.repeated += len(rows) - len(first)
        at = self.rows_of(rows.keys[first])
        late = (at == NO_ROW) & (rows.started[first] < self.watermark - self._window)
        self.counts.late_traces += int(late.sum())
        first, at = first[~late], at[~late]
        if len(rows):
            newest = int(np.minimum(rows.started, rows.ingested).max())
            self.watermark = max(self.watermark, newest)

        news = at == NO_ROW
        at[news] = self._new_rows(rows.keys[first[news]], [rows.ids[i] for i in first[news]])
        better = (self._traces["flags"][at] & TRACE_ARRIVED == 0) | (
            rows.offset[first] < self._traces["offset"][at]
        )
        self.counts.repeated += int((~better).sum())
        self._fill(at[better], rows, first[better])
        self._touch_traces(at[better], rows, first[better], fresh)

    def add_feedback(self, rows: FeedbackRows, fresh: BoolArray) -> None:
        """Take in feedback. The same event twice is one; under one id with other content, two."""
        new = _first_of_each(rows.keys, rows.offset)
        new = new[self._feedback.unknown(rows.keys[new])]
        at = self.rows_of(rows.trace_keys[new])
        late = (at == NO_ROW) & (rows.occurred[new] < self.watermark - self._window)
        self.counts.late_feedback += int(late.sum())
        self.counts.repeated += len(rows) - len(new)
        new, at = new[~late], at[~late]

        unknown = np.flatnonzero(at == NO_ROW)
        one = unknown[_first_of_each(rows.trace_keys[new[unknown]], rows.offset[new[unknown]])]
        self._new_rows(rows.trace_keys[new[one]], [rows.trace_ids[i] for i in new[one]])
        at[unknown] = self.rows_of(rows.trace_keys[new[unknown]])
        waiting = self._traces["flags"][at] & TRACE_ARRIVED == 0
        np.maximum.at(self._traces["started"], at[waiting], rows.occurred[new[waiting]])

        self._feedback.append(rows, new, at, self._traces["head"])
        for row, i in zip(at.tolist(), new.tolist(), strict=True):
            if fresh[i]:
                offset, occurred = int(rows.offset[i]), int(rows.occurred[i])
                self._touch(row, TriggerRecord(RecordKind.FEEDBACK, offset, occurred))

    def touch_again(self, trace_id: str, cause: TriggerRecord) -> None:
        """Mark a trace as touched, as it was before its decision was taken."""
        row = int(self.rows_of(digest_ids([trace_id], self._policy.audit.seed))[0])
        if row != NO_ROW:
            self._touch(row, cause)

    def settle_retries(self) -> None:
        """Find the retries among all traces anew, whatever order they came in."""
        if self._retries is not None:
            self._retries.chain()
            rows = self._retries.all_retried(self._traces["started"])
            self._traces["flags"][:] &= ~TRACE_RETRIED
            self._traces["flags"][rows] |= TRACE_RETRIED

    # -- and go ---------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Forget what has left the window and is not touched, once that is worth the work."""
        if self.watermark - self._swept_at < self._window // 64:
            return
        self._swept_at = self.watermark
        stays = self._traces["started"] >= self.watermark - self._window
        stays[list(self.touched)] = True
        if int(stays.sum()) > len(self._traces) * 7 // 8:
            return
        self.counts.unmatched += int((~stays & (self._traces["flags"] & TRACE_ARRIVED == 0)).sum())
        self._forget(stays)

    def shorten(self) -> None:
        """Halve the window from now on, and forget what has left it."""
        self._window //= 2
        self._swept_at = -_FOREVER
        self.sweep()

    def _forget(self, stays: npt.NDArray[np.bool_]) -> None:
        numbers = renumber_rows(stays)
        self.touched = {int(numbers[row]): cause for row, cause in self.touched.items()}
        self._traces.keep(stays)
        self._ids.keep(stays)
        self._feedback.keep(stays, numbers, self._traces["head"])
        rows: RowNumbers = np.arange(len(self._traces), dtype=np.int32)
        self._trace_index.rebuild(rows, self._traces["key"])
        if self._retries is not None:
            self._retries.keep(stays)
        self._forget_contexts()

    def _forget_contexts(self) -> None:
        used, numbers = np.unique(self._traces["context"], return_inverse=True)
        self._contexts = [self._contexts[i] for i in used.tolist()]
        self._context_numbers = {context: i for i, context in enumerate(self._contexts)}
        self._traces["context"][:] = numbers.reshape(-1)

    # -- parts ----------------------------------------------------------------------------------

    def _new_rows(self, keys: DigestPairs, ids: list[str]) -> RowNumbers:
        """Make rows for traces of which nothing is known but the id."""
        where = self._traces.append(len(ids))
        self._ids.append(ids)
        self._traces["key"][where] = keys
        self._traces["head"][where] = NO_ROW
        self._traces["started"][where] = -_FOREVER
        self._traces["flags"][where] = 0
        self._traces["told"][where] = NOT_WRITTEN
        self._traces["context"][where] = self._context_number((None, ()))
        if self._retries is not None:
            self._retries.append(len(ids))
        rows: RowNumbers = np.arange(where.start, where.stop, dtype=np.int32)
        self._trace_index.add(rows, self._traces["key"])
        return rows

    def _fill(self, at: RowNumbers, rows: TraceRows, which: IntArray) -> None:
        """Write what the traces say into their rows; a retry found before stays found."""
        numbers = np.array([self._context_number(c) for c in rows.contexts], np.int32)
        flags = (
            TRACE_ARRIVED
            | rows.failed[which] * TRACE_FAILED
            | rows.truncated[which] * TRACE_TRUNCATED
        )
        self._traces["started"][at] = rows.started[which]
        self._traces["offset"][at] = rows.offset[which]
        self._traces["context"][at] = numbers[rows.context[which]]
        self._traces["flags"][at] = flags | (self._traces["flags"][at] & TRACE_RETRIED)

    def _touch_traces(
        self, at: RowNumbers, rows: TraceRows, which: IntArray, fresh: BoolArray
    ) -> None:
        traces = self._traces
        # The rate is that of the app; the draw itself is made again by the decision.
        rates = np.array([self._policy.audit.probability(app) for app, _ in rows.contexts])
        drawn = (
            audit_draws(rows.keys[which]) < rates[rows.context[which]]
            if len(which)
            else at > NO_ROW
        )
        telling = TRACE_ARRIVED * 0
        telling |= TRACE_FAILED if ERROR in self._policy.readings else 0
        telling |= TRACE_TRUNCATED if TRUNCATED in self._policy.readings else 0
        touched = drawn | (traces["head"][at] != NO_ROW) | (traces["flags"][at] & telling != 0)
        touched &= fresh[which]
        for row, i in zip(at[touched].tolist(), which[touched].tolist(), strict=True):
            self._touch(row, _trace_cause(rows, i))
        if self._retries is None:
            return
        keys = retry_keys(rows.session[which], rows.tokens[which])
        place = dict(zip(at.tolist(), which.tolist(), strict=True)) if len(at) else {}
        for row, again in self._retries.add(at, keys, traces["started"]):
            known = bool(traces["flags"][row] & TRACE_RETRIED)
            traces["flags"][row] |= TRACE_RETRIED
            newest = place.get(again, place.get(row))
            if not known and newest is not None and fresh[newest]:
                self._touch(row, _trace_cause(rows, newest))

    def _touch(self, row: int, cause: TriggerRecord) -> None:
        self.touched[row] = cause

    def _seen(self, row: int) -> TraceFacts:
        flags = self._traces["flags"][row]
        app, segments = self._contexts[int(self._traces["context"][row])]
        return TraceFacts(
            started_at=self.started(row),
            failed=bool(flags & TRACE_FAILED),
            truncated=bool(flags & TRACE_TRUNCATED),
            app=app,
            segments=dict(segments),
        )

    def _context_number(self, context: TraceContext) -> int:
        number = self._context_numbers.setdefault(context, len(self._contexts))
        if number == len(self._contexts):
            self._contexts.append(context)
        return number


def _first_of_each(keys: DigestPairs, offsets: IntArray) -> IntArray:
    """Return which row of each key comes first by offset, in the order the rows came in."""
    order = np.lexsort((offsets, keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return np.sort(order[starts])


def _trace_cause(rows: TraceRows, i: int) -> TriggerRecord:
    return TriggerRecord(RecordKind.TRACE, int(rows.offset[i]), int(rows.started[i]))
