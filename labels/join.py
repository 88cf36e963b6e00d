"""The join that the worker drives: batches of both topics in, label events out.

It holds one state for each partition number, in which the traces and the feedback of that partition
meet; so the two topics must be co-partitioned, which the worker checks. Labels decided here rest on
what has come; what has not (silence, the end of a session) only a batch job can know.

    join.rebuild(partition, traces=…, feedback=…, decided=…)      on assignment, from the lake
    join.add(RecordKind.TRACE, batch)                             for every batch, in any order
    taken = join.take(now=…)                                      at a flush: events to write
    join.again(taken.decided)                                     if they were not written
    join.drop([partition])                                        on revocation
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labels.batches import FEEDBACK_COLUMNS, TRACE_COLUMNS, read_feedback_rows, read_trace_rows
from labels.decision import REVISIONS_PER_GENERATION, check_clock, decide_label, generation_of
from labels.digests import digest_ids
from labels.join_partition import JoinCounts, JoinPartition, TriggerRecord
from labels.scorer import LabelScorer
from labels.written_marks import is_unwritten, written_mark
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent

JOIN_COLUMNS: Final[Mapping[RecordKind, tuple[str, ...]]] = {
    RecordKind.TRACE: TRACE_COLUMNS,
    RecordKind.FEEDBACK: FEEDBACK_COLUMNS,
}
"""The columns that the join reads of a batch of each kind."""


class DecidedLabel(NamedTuple):
    """A label event, the partition it belongs to, and the record that called for it."""

    event: LabelEvent
    partition: int
    cause: TriggerRecord


@dataclass(frozen=True, slots=True)
class DecidedBatch:
    """What is to be written now, and what became of records that nothing is written for.

    ``corrections`` are the texts that the feedback on these traces gave: as redacted as it was.
    """

    decided: list[DecidedLabel]
    counts: JoinCounts
    corrections: Collection[str] = ()


class WrittenEvent(NamedTuple):
    """A label event that has been written."""

    trace_id: str
    label_event_id: str
    revision: int


class JoinSize(NamedTuple):
    """How much the join holds. ``waiting``: traces that have feedback but have not come."""

    traces: int
    waiting: int
    feedback: int
    bytes: int


class LabelJoin:
    """The state of every partition that this worker owns."""

    def __init__(self, scales: LabelScorer, *, window: int | None = None) -> None:
        """``window`` in microseconds of event time; the policy's if None."""
        self._scales = scales
        self._window = scales.policy.window_micros if window is None else window
        self._states: dict[int, JoinPartition] = {}
        self._counts = JoinCounts()

    def add(
        self,
        kind: RecordKind,
        batch: pa.RecordBatch,
        *,
        decided: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Take in rows of one topic, as they stand in its table.

        ``decided`` gives, by partition, the offset below which labels have been written already
        (the position of the table ``labels``): such rows are known from now on, but call for no
        label. Adding the same row twice is the same as adding it once.
        """
        rows = batch.select(JOIN_COLUMNS[kind])
        for partition, part in _by_partition(rows, None):
            state = self._states.get(partition)
            if state is None:
                state = JoinPartition(self._scales.policy, self._window)
                self._states[partition] = state
            self._fill(state, kind, part, decided.get(partition, 0))

    def rebuild(
        self,
        partition: int,
        *,
        traces: Iterable[pa.RecordBatch],
        feedback: Iterable[pa.RecordBatch],
        decided: Mapping[RecordKind, int],
    ) -> None:
        """Fill the state of one partition from the lake at once; see ``rebuilding``."""
        for _ in self.rebuilding({partition: decided}, traces=traces, feedback=feedback):
            pass

    def rebuilding(
        self,
        decided: Mapping[int, Mapping[RecordKind, int]],
        *,
        traces: Iterable[pa.RecordBatch],
        feedback: Iterable[pa.RecordBatch],
    ) -> Iterator[int]:
        """Fill the states of partitions from the lake, in place of what they were, step by step.

        Each step tells how many bytes the states have by then.

        ``traces`` and ``feedback`` hold at least the rows of the window, of the one topic each, in
        any order; rows of other partitions are left out here. ``decided``, by partition, is as in
        ``add``: rows from there on are in the lake but without labels yet, and call for them. Only
        after the last step are the states part of the join; given up before, they leave no trace.
        """
        self.drop(decided)
        states = {p: JoinPartition(self._scales.policy, self._window) for p in decided}
        later: list[tuple[RecordKind, int, pa.RecordBatch]] = []
        for kind, batches in ((RecordKind.TRACE, traces), (RecordKind.FEEDBACK, feedback)):
            for batch in batches:
                for partition, rows in _by_partition(batch.select(JOIN_COLUMNS[kind]), decided):
                    later += self._old_first(states[partition], kind, rows, decided[partition])
                yield sum(state.nbytes for state in states.values())
        for state in states.values():
            state.settle_retries()
            state.sweep()
            state.counts = JoinCounts()  # what is read again was counted before
            yield sum(state.nbytes for state in states.values())
        for kind, partition, rows in later:
            self._fill(states[partition], kind, rows, 0)
        self._states |= states

    def _old_first(
        self,
        state: JoinPartition,
        kind: RecordKind,
        rows: pa.RecordBatch,
        decided: Mapping[RecordKind, int],
    ) -> Iterator[tuple[RecordKind, int, pa.RecordBatch]]:
        """Take in the rows that labels have been written for; yield the others."""
        if not any(decided.values()):
            self._fill(state, kind, rows, 0)
            return
        position = decided.get(kind, 0)
        old = pc.less(rows.column("_offset"), position)
        self._fill(state, kind, rows.filter(old), position)
        rest = rows.filter(pc.invert(old))
        if rest.num_rows:
            yield kind, rest.column("_partition")[0].as_py(), rest

    def take(self, *, now: int) -> DecidedBatch:
        """Decide about every trace that something new is known of; forget what left the window.

        ``now`` is the clock in microseconds since 1970 (UTC). The events are to be written together
        with the positions of all that was added so far. Raises FatalError if the clock is wrong.
        """
        now = check_clock(now)
        decided: list[DecidedLabel] = []
        corrections: set[str] = set()
        for partition, state in self._states.items():
            for row, cause in state.touched.items():
                known = state.known(row)
                event = decide_label(known, self._scales, decided_at=now)
                if event is None or not is_unwritten(_mark(event), state.told(row)):
                    continue
                decided.append(DecidedLabel(event, partition, cause))
                corrections.update(said.correction for said in known.said if said.correction)
            state.touched.clear()
            state.sweep()
        return DecidedBatch(decided, self._take_counts(), corrections)

    def told(self, events: Iterable[WrittenEvent]) -> None:
        """Take note of label events that are written; of one trace the last given counts.

        ``take`` then gives none of them again, and none that they outrank. What was decided under
        another policy or calibration is passed over.
        """
        generation = generation_of(self._scales)
        mine = [
            event for event in events if event.revision // REVISIONS_PER_GENERATION == generation
        ]
        if not mine:
            return
        keys = digest_ids((event.trace_id for event in mine), self._scales.policy.audit.seed)
        marks = np.array([written_mark(e.label_event_id, e.revision) for e in mine], np.uint64)
        for state in self._states.values():
            state.tell(keys, marks)

    def elsewhere(self, trace_ids: Collection[str], partition: int) -> int:
        """Count the traces of which something is known in another partition than this."""
        keys = digest_ids(trace_ids, self._scales.policy.audit.seed)
        others = [state for number, state in self._states.items() if number != partition]
        found = [state.rows_of(keys) >= 0 for state in others]
        return int(np.any(found, axis=0).sum()) if found else 0

    def shorten(self) -> None:
        """Halve the window, to take less memory."""
        self._window //= 2
        for state in self._states.values():
            state.shorten()

    def again(self, decided: Iterable[DecidedLabel]) -> None:
        """Let the next ``take`` decide these once more, if their partition is still here."""
        for event, partition, cause in decided:
            if (state := self._states.get(partition)) is not None:
                state.touch_again(event.trace_id, cause)

    def drop(self, partitions: Iterable[int]) -> None:
        """Forget partitions, with everything in them that was not taken."""
        for partition in partitions:
            state = self._states.pop(partition, None)
            if state is not None:
                _add_counts(self._counts, state.counts)

    @property
    def pending(self) -> int:
        """Return of how many traces something new is known."""
        return sum(len(state.touched) for state in self._states.values())

    @property
    def window(self) -> int:
        """Return the window in microseconds, as it is now."""
        return self._window

    @property
    def watermarks(self) -> Mapping[int, int]:
        """Return, by partition, how far event time has come (microseconds since 1970, UTC)."""
        return {partition: state.watermark for partition, state in self._states.items()}

    @property
    def partitions(self) -> frozenset[int]:
        """Return the partitions that there is state of."""
        return frozenset(self._states)

    def size(self) -> JoinSize:
        """Return how much it holds."""
        states = self._states.values()
        return JoinSize(
            traces=sum(state.traces for state in states),
            waiting=sum(state.waiting for state in states),
            feedback=sum(state.feedback for state in states),
            bytes=sum(state.nbytes for state in states),
        )

    def _fill(self, state: JoinPartition, kind: RecordKind, rows: Any, position: int) -> None:
        if rows.num_rows == 0:
            return
        policy = self._scales.policy
        if kind is RecordKind.TRACE:
            traces = read_trace_rows(rows, policy.audit.seed)
            state.add_traces(traces, traces.offset >= position)
        else:
            feedback = read_feedback_rows(rows, policy.audit.seed, policy.kinds_in_order)
            state.add_feedback(feedback, feedback.offset >= position)

    def _take_counts(self) -> JoinCounts:
        taken, self._counts = self._counts, JoinCounts()
        for state in self._states.values():
            _add_counts(taken, state.counts)
            state.counts = JoinCounts()
        return taken


def _by_partition(
    rows: pa.RecordBatch, wanted: Container[int] | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows of each partition, of those that are wanted (None: of all)."""
    numbers = np.unique(rows.column("_partition").to_numpy(zero_copy_only=False)).tolist()
    for partition in numbers:
        if wanted is None or partition in wanted:
            yield partition, rows if len(numbers) == 1 else _where(rows, "_partition", partition)


def _mark(event: LabelEvent) -> int:
    return written_mark(event.label_event_id, event.revision)


def _where(rows: Any, column: str, value: int) -> Any:
    return rows.filter(pc.equal(rows.column(column), value))


def _add_counts(total: JoinCounts, more: JoinCounts) -> None:
    total.late_traces += more.late_traces
    total.late_feedback += more.late_feedback
    total.unmatched += more.unmatched
    total.repeated += more.repeated
