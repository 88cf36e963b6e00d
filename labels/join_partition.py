"""The join of one partition: the traces and feedback in the window, in columns.

Traces and feedback may come in any order. Feedback whose trace has not arrived makes a row that
waits for it. A trace whose label a record may change is marked as touched until the next decision.
Times are microseconds since 1970 (UTC).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from labels.digests import DigestPairs, audit_draws
from labels.facts import MAX_CONTENTS, SessionStatus, TraceFacts, TraceKnowledge
from labels.feedback_table import FeedbackTable, renumber_rows
from labels.growable_columns import ColumnLayout, GrowableColumns, GrowableTexts
from labels.hash_index import NO_ROW, HashIndex, RowNumbers
from labels.join_rows import BoolArray, FeedbackRows, IntArray, TraceContext, TraceRows
from labels.policy import LabelPolicy
from labels.readings import ERROR, TRUNCATED
from labels.retry_chains import RetryChains, retry_keys
from labels.written_marks import NOT_WRITTEN
from schemas.record_batches import RecordKind
from schemas.trace_in_force import ASSEMBLED_FROM, assembled_revision

_ARRIVED: Final = np.uint8(1)
_FAILED: Final = np.uint8(2)
_TRUNCATED: Final = np.uint8(4)
_RETRIED: Final = np.uint8(8)
_REPEATS: Final = np.uint8(16)
_SHADOWS: Final = np.uint8(32)

_LAYOUT: Final[ColumnLayout] = {
    "key": (np.uint64, 2),
    "started": (np.int64, 1),
    "precedence": (np.int64, 1),
    "context": (np.int32, 1),
    "flags": (np.uint8, 1),
    "head": (np.int32, 1),
    "written": (np.uint64, 1),
}
_FOREVER: Final = 2**62


class TriggerRecord(NamedTuple):
    """The record that last changed what is known about a trace."""

    kind: RecordKind
    offset: int
    event_time: int


@dataclass(slots=True)
class JoinCounts:
    """The numbers of records that changed no state, since the counts were last taken.

    Late records came after their window; a batch job joins them. ``unmatched`` are traces that had
    feedback waiting for the whole window and never arrived. ``repeated`` were known already.
    """

    late_traces: int = 0
    late_feedback: int = 0
    unmatched: int = 0
    repeated: int = 0


class JoinPartition:
    """The state of one partition. Nothing refers into it, so it can be dropped at any time."""

    def __init__(self, policy: LabelPolicy, window: int | None) -> None:
        """``window`` is in microseconds; None for a batch job, which keeps everything."""
        self.counts = JoinCounts()
        self.watermark = -_FOREVER
        self.touched: dict[int, TriggerRecord] = {}
        self._policy = policy
        self._window = _FOREVER if window is None else window
        self._traces, self._ids, self._trace_index = (
            GrowableColumns(_LAYOUT),
            GrowableTexts(),
            HashIndex(),
        )
        self._feedback = FeedbackTable(policy)
        self._retries = RetryChains(policy.retry_micros) if policy.judges_retries else None
        self._contexts: list[TraceContext] = []
        self._context_numbers: dict[TraceContext, int] = {}
        self._swept_at = self.watermark

    # -- contents -------------------------------------------------------------------------------

    @property
    def traces(self) -> int:
        """Return the number of traces in the window."""
        return int(np.count_nonzero(self._traces["flags"] & _ARRIVED))

    @property
    def waiting(self) -> int:
        """Return the number of traces that have feedback but have not arrived."""
        return len(self._traces) - self.traces

    @property
    def feedback(self) -> int:
        """Return the number of feedback events."""
        return len(self._feedback)

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory in use."""
        stores = (self._traces, self._ids, self._trace_index, self._feedback)
        retries = self._retries.nbytes if self._retries is not None else 0
        return sum(store.nbytes for store in stores) + retries + 200 * len(self._contexts)

    def rows_of(self, keys: DigestPairs) -> RowNumbers:
        """Return the row of each trace, ``NO_ROW`` if it is unknown."""
        return self._trace_index.find(keys, self._traces["key"])

    def all_rows(self) -> range:
        """Return the numbers of all rows, including those that wait for their trace."""
        return range(len(self._traces))

    def knowledge_of(
        self, row: int, *, closed: bool = False, session: SessionStatus = "not judged"
    ) -> TraceKnowledge:
        """Return what is known about the trace in a row, without verdicts."""
        flags = self._traces["flags"][row]
        in_force = flags & _ARRIVED and not flags & _REPEATS
        return TraceKnowledge(
            trace_id=self._ids[row],
            trace=self._trace_facts(row) if in_force else None,
            feedback=self._feedback.events_from(int(self._traces["head"][row])),
            retried=bool(flags & _RETRIED),
            session=session,
            closed=closed,
        )

    def started_at(self, row: int) -> int:
        """Return when the trace started; before it arrives, the time of its latest feedback."""
        return int(self._traces["started"][row])

    def is_in_force(self, rows: RowNumbers, precedence: IntArray) -> BoolArray:
        """Return for each row whether the record with this precedence is in force for it."""
        counts = np.equal(self._traces["precedence"][rows], precedence)
        in_force: BoolArray = counts & (self._traces["flags"][rows] & _REPEATS == 0)
        return in_force

    def written_mark_of(self, row: int) -> int:
        """Return the mark of the event written last for the trace (see `labels.written_marks`)."""
        return int(self._traces["written"][row])

    def set_written(self, keys: DigestPairs, marks: npt.NDArray[np.uint64]) -> None:
        """Record the marks of written events; the last of several for one trace counts."""
        rows = self.rows_of(keys)
        present = rows != NO_ROW
        self._traces["written"][rows[present]] = marks[present]

    # -- adding records -------------------------------------------------------------------------

    def add_traces(self, rows: TraceRows, fresh: BoolArray) -> None:
        """Add traces. ``fresh`` marks those that no label has been written for.

        The record of a trace id with the lowest precedence counts; others are ignored.
        """
        first = _first_of_each(rows.keys, rows.precedence)
        self.counts.repeated += len(rows) - len(first)
        at = self.rows_of(rows.keys[first])
        late = (at == NO_ROW) & (rows.started[first] < self.watermark - self._window)
        self.counts.late_traces += int(late.sum())
        first, at = first[~late], at[~late]
        if len(rows):
            newest = int(np.minimum(rows.started, rows.ingested).max())
            self.watermark = max(self.watermark, newest)

        new = at == NO_ROW
        at[new] = self._new_rows(rows.keys[first[new]], [rows.ids[i] for i in first[new]])
        is_counted = (self._traces["flags"][at] & _ARRIVED == 0) | (
            rows.precedence[first] < self._traces["precedence"][at]
        )
        self.counts.repeated += int((~is_counted).sum())
        assembled = rows.precedence >= ASSEMBLED_FROM
        replaced = at[is_counted & self._is_assembled(at)]
        self._fill(at[is_counted], rows, first[is_counted])
        if len(replaced) or assembled.any():
            self._mark_shadows(np.concatenate([replaced, self.rows_of(rows.keys[assembled])]))
        self._touch_traces(at[is_counted], rows, first[is_counted], fresh)

    def add_feedback(self, rows: FeedbackRows, fresh: BoolArray) -> None:
        """Add feedback. An event sent twice is one event; with other content under its id, two."""
        new = _first_of_each(rows.keys, rows.offset)
        new = new[self._feedback.is_new(rows.keys[new])]
        at = self.rows_of(rows.trace_keys[new])
        late = (at == NO_ROW) & (rows.occurred[new] < self.watermark - self._window)
        self.counts.late_feedback += int(late.sum())
        self.counts.repeated += len(rows) - len(new)
        new, at = new[~late], at[~late]

        unknown = np.flatnonzero(at == NO_ROW)
        first = unknown[_first_of_each(rows.trace_keys[new[unknown]], rows.offset[new[unknown]])]
        self._new_rows(rows.trace_keys[new[first]], [rows.trace_ids[i] for i in new[first]])
        at[unknown] = self.rows_of(rows.trace_keys[new[unknown]])
        waiting = self._traces["flags"][at] & _ARRIVED == 0
        np.maximum.at(self._traces["started"], at[waiting], rows.occurred[new[waiting]])

        self._feedback.append(rows, new, at, self._traces["head"])
        for row, i in zip(at.tolist(), new.tolist(), strict=True):
            if fresh[i]:
                offset, occurred = int(rows.offset[i]), int(rows.occurred[i])
                self.touched[row] = TriggerRecord(RecordKind.FEEDBACK, offset, occurred)

    def find_retries(self) -> None:
        """Find the retries among all traces, whatever order they came in."""
        if self._retries is not None:
            self._retries.rebuild()
            rows = self._retries.all_retried(self._traces["started"])
            self._traces["flags"][:] &= ~_RETRIED
            self._traces["flags"][rows] |= _RETRIED

    # -- removing records -----------------------------------------------------------------------

    def sweep(self) -> None:
        """Remove what has left the window and is not touched, once there is enough of it."""
        if self.watermark - self._swept_at < self._window // 64:
            return
        self._swept_at = self.watermark
        stays = self._traces["started"] >= self.watermark - self._window
        stays[list(self.touched)] = True
        if int(stays.sum()) > len(self._traces) * 7 // 8:
            return
        self.counts.unmatched += int((~stays & (self._traces["flags"] & _ARRIVED == 0)).sum())
        self._keep(stays)

    def halve_window(self) -> None:
        """Halve the window, and remove what has left it."""
        self._window //= 2
        self._swept_at = -_FOREVER
        self.sweep()

    def _keep(self, stays: npt.NDArray[np.bool_]) -> None:
        new_rows = renumber_rows(stays)
        self.touched = {int(new_rows[row]): trigger for row, trigger in self.touched.items()}
        self._traces.keep(stays)
        self._ids.keep(stays)
        self._feedback.keep(stays, new_rows, self._traces["head"])
        rows: RowNumbers = np.arange(len(self._traces), dtype=np.int32)
        self._trace_index.rebuild(rows, self._traces["key"])
        if self._retries is not None:
            self._retries.keep(stays)
        self._drop_unused_contexts()

    def _drop_unused_contexts(self) -> None:
        used, context_indices = np.unique(self._traces["context"], return_inverse=True)
        self._contexts = [self._contexts[i] for i in used.tolist()]
        self._context_numbers = {context: i for i, context in enumerate(self._contexts)}
        self._traces["context"][:] = context_indices.reshape(-1)

    # -- filling rows ---------------------------------------------------------------------------

    def _new_rows(self, keys: DigestPairs, ids: list[str]) -> RowNumbers:
        """Make rows for traces that are known only by id."""
        where = self._traces.append(len(ids))
        self._ids.append(ids)
        self._traces["key"][where] = keys
        self._traces["head"][where] = NO_ROW
        self._traces["started"][where] = -_FOREVER
        self._traces["flags"][where] = 0
        self._traces["written"][where] = NOT_WRITTEN
        self._traces["context"][where] = self._context_number((None, ()))
        if self._retries is not None:
            self._retries.append(len(ids))
        rows: RowNumbers = np.arange(where.start, where.stop, dtype=np.int32)
        self._trace_index.add(rows, self._traces["key"])
        return rows

    def _fill(self, at: RowNumbers, rows: TraceRows, selected: IntArray) -> None:
        """Write the facts of traces into their rows; keep the retry flag."""
        context_numbers = np.array([self._context_number(c) for c in rows.contexts], np.int32)
        flags = _ARRIVED | rows.failed[selected] * _FAILED | rows.truncated[selected] * _TRUNCATED
        flags |= rows.repeats[selected] * _REPEATS
        self._traces["started"][at] = rows.started[selected]
        self._traces["precedence"][at] = rows.precedence[selected]
        self._traces["context"][at] = context_numbers[rows.context[selected]]
        self._traces["flags"][at] = flags | (self._traces["flags"][at] & (_RETRIED | _SHADOWS))

    def _is_assembled(self, at: RowNumbers) -> BoolArray:
        """Return for each row whether an assembled trace counts for it."""
        arrived = self._traces["flags"][at] & _ARRIVED != 0
        assembled: BoolArray = arrived & (self._traces["precedence"][at] >= ASSEMBLED_FROM)
        return assembled

    def _mark_shadows(self, rows: RowNumbers) -> None:
        """Mark those of some rows with assembled traces where a record counts instead."""
        known = rows[rows != NO_ROW]
        self._traces["flags"][known[~self._is_assembled(known)]] |= _SHADOWS

    def _touch_traces(
        self, at: RowNumbers, rows: TraceRows, selected: IntArray, fresh: BoolArray
    ) -> None:
        traces = self._traces
        # The app determines the rate. The decision repeats the draw itself.
        rates = np.array([self._policy.audit.probability(app) for app, _ in rows.contexts])
        drawn = (
            audit_draws(rows.keys[selected]) < rates[rows.context[selected]]
            if len(selected)
            else at > NO_ROW
        )
        signal_flags = _ARRIVED * 0
        signal_flags |= _FAILED if ERROR in self._policy.readings else 0
        signal_flags |= _TRUNCATED if TRUNCATED in self._policy.readings else 0
        touched = drawn | (traces["head"][at] != NO_ROW) | (traces["flags"][at] & signal_flags != 0)
        touched &= fresh[selected]
        for row, i in zip(at[touched].tolist(), selected[touched].tolist(), strict=True):
            self.touched[row] = _trace_trigger(rows, i)
        if self._retries is None:
            return
        keys = retry_keys(rows.session[selected], rows.tokens[selected])
        keys[rows.repeats[selected]] = 0  # the call itself is in the chain by another trace
        positions = dict(zip(at.tolist(), selected.tolist(), strict=True)) if len(at) else {}
        for row, retry in self._retries.add(at, keys, traces["started"]):
            was_retried = bool(traces["flags"][row] & _RETRIED)
            traces["flags"][row] |= _RETRIED
            newest = positions.get(retry, positions.get(row))
            if not was_retried and newest is not None and fresh[newest]:
                self.touched[row] = _trace_trigger(rows, newest)

    def _trace_facts(self, row: int) -> TraceFacts:
        flags = self._traces["flags"][row]
        app, segments = self._contexts[int(self._traces["context"][row])]
        return TraceFacts(
            started_at=self.started_at(row),
            failed=bool(flags & _FAILED),
            truncated=bool(flags & _TRUNCATED),
            app=app,
            segments=dict(segments),
            contents=_contents(
                int(self._traces["precedence"][row]), shadows=bool(flags & _SHADOWS)
            ),
        )

    def _context_number(self, context: TraceContext) -> int:
        number = self._context_numbers.setdefault(context, len(self._contexts))
        if number == len(self._contexts):
            self._contexts.append(context)
        return number


def _contents(precedence: int, *, shadows: bool) -> int:
    """Return how many contents of the trace came before the one in force, as far as they count."""
    earlier = max(0, assembled_revision(precedence) - 1)
    return MAX_CONTENTS if shadows else min(earlier, MAX_CONTENTS)


def _first_of_each(keys: DigestPairs, offsets: IntArray) -> IntArray:
    """Return, for each key, the index of its row with the lowest offset, in order of the rows."""
    order = np.lexsort((offsets, keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return np.sort(order[starts])


def _trace_trigger(rows: TraceRows, i: int) -> TriggerRecord:
    return TriggerRecord(RecordKind.TRACE, int(rows.offset[i]), int(rows.started[i]))
