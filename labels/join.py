"""The worker's join: takes batches of both topics, and returns label events.

It has one state for each partition number, where the traces and the feedback of that partition
meet. So the two topics must be co-partitioned, which the worker checks. Labels decided here rest on
what has arrived; only a batch job can know what has not (silence, the end of a session).

    for _ in join.rebuild_steps(decided, traces=…, feedback=…)    on assignment, from the lake
    join.add(RecordKind.TRACE, batch)                             for every batch, in any order
    batch = join.decide(now=…)                                    at a flush: events to write
    join.mark_written(events)                                     once they are written
    join.drop([partition])                                        on revocation, and after an error
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labels.decision import REVISIONS_PER_GENERATION, check_clock, decide_label
from labels.digests import digest_ids
from labels.hash_index import NO_ROW
from labels.join_partition import JoinCounts, JoinPartition, TriggerRecord
from labels.join_rows import FEEDBACK_COLUMNS, TRACE_COLUMNS, read_feedback_rows, read_trace_rows
from labels.scorer import LabelScorer
from labels.written_marks import is_unwritten, written_mark
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent

JOIN_COLUMNS: Final[Mapping[RecordKind, tuple[str, ...]]] = {
    RecordKind.TRACE: TRACE_COLUMNS,
    RecordKind.FEEDBACK: FEEDBACK_COLUMNS,
}
"""The columns that the join reads from a batch of each kind."""


class DecidedLabel(NamedTuple):
    """A label event, its partition, and the record that triggered it."""

    event: LabelEvent
    partition: int
    trigger: TriggerRecord


@dataclass(frozen=True, slots=True)
class DecidedBatch:
    """The label events to write now, and the numbers of records that changed nothing.

    ``corrections`` are the texts in the feedback on these traces, already redacted.
    """

    decided: list[DecidedLabel]
    counts: JoinCounts
    corrections: Collection[str] = ()


class WrittenEvent(NamedTuple):
    """A label event that is in the table."""

    trace_id: str
    label_event_id: str
    revision: int


class JoinSize(NamedTuple):
    """The size of the join. ``waiting``: traces that have feedback but have not arrived."""

    traces: int
    waiting: int
    feedback: int
    bytes: int


class LabelJoin:
    """Joins the records of every partition that this worker owns."""

    def __init__(self, scorer: LabelScorer, *, window: int | None = None) -> None:
        """``window`` is in microseconds of event time, the policy's if None."""
        self._scorer = scorer
        self._window = scorer.policy.window_micros if window is None else window
        self._states: dict[int, JoinPartition] = {}
        self._counts = JoinCounts()

    def add(
        self,
        kind: RecordKind,
        batch: pa.RecordBatch,
        *,
        decided: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Add rows of one topic, as they are in its table.

        ``decided`` gives, by partition, the offset below which labels are written already (the
        position of the table ``labels``): such rows become known but trigger no label. Adding a row
        twice is the same as adding it once.
        """
        rows = batch.select(JOIN_COLUMNS[kind])
        for partition, partition_rows in _by_partition(rows, None):
            state = self._states.get(partition)
            if state is None:
                state = JoinPartition(self._scorer.policy, self._window)
                self._states[partition] = state
            self._fill(state, kind, partition_rows, decided.get(partition, 0))

    def rebuild_steps(
        self,
        decided: Mapping[int, Mapping[RecordKind, int]],
        *,
        traces: Iterable[pa.RecordBatch],
        feedback: Iterable[pa.RecordBatch],
    ) -> Iterator[int]:
        """Replace the states of partitions from the lake, step by step.

        Each step yields the current size of the new states in bytes.

        ``traces`` and ``feedback`` hold at least the rows of the window, each of one topic, in any
        order; rows of other partitions are ignored. ``decided``, by partition, is as in ``add``:
        rows from that offset on are in the lake but without labels, and trigger them. The states
        join only after the last step; an iterator that is dropped before changes nothing else.
        """
        self.drop(decided)
        states = {p: JoinPartition(self._scorer.policy, self._window) for p in decided}
        later: list[tuple[RecordKind, int, pa.RecordBatch]] = []
        for kind, batches in ((RecordKind.TRACE, traces), (RecordKind.FEEDBACK, feedback)):
            for batch in batches:
                for partition, rows in _by_partition(batch.select(JOIN_COLUMNS[kind]), decided):
                    later += self._add_decided(states[partition], kind, rows, decided[partition])
                yield sum(state.nbytes for state in states.values())
        for state in states.values():
            state.find_retries()
            state.sweep()
            state.counts = JoinCounts()  # these records were counted when they first arrived
            yield sum(state.nbytes for state in states.values())
        for kind, partition, rows in later:
            self._fill(states[partition], kind, rows, 0)
        self._states |= states

    def _add_decided(
        self,
        state: JoinPartition,
        kind: RecordKind,
        rows: pa.RecordBatch,
        decided: Mapping[RecordKind, int],
    ) -> Iterator[tuple[RecordKind, int, pa.RecordBatch]]:
        """Add the rows that labels are written for; yield the others."""
        if not any(decided.values()):
            self._fill(state, kind, rows, 0)
            return
        position = decided.get(kind, 0)
        decided_rows = pc.less(rows.column("_offset"), position)
        self._fill(state, kind, rows.filter(decided_rows), position)
        undecided = rows.filter(pc.invert(decided_rows))
        if undecided.num_rows:
            yield kind, undecided.column("_partition")[0].as_py(), undecided

    def decide(self, *, now: int) -> DecidedBatch:
        """Decide every trace with new information, and remove what has left the window.

        ``now`` is the clock in microseconds since 1970 (UTC). The events must be written together
        with the positions of everything added so far. Raises FatalError if the clock is wrong.
        """
        now = check_clock(now)
        decided: list[DecidedLabel] = []
        corrections: set[str] = set()
        for partition, state in self._states.items():
            for row, trigger in state.touched.items():
                knowledge = state.knowledge_of(row)
                event = decide_label(knowledge, self._scorer, decided_at=now)
                if event is None or not is_unwritten(_mark(event), state.written_mark_of(row)):
                    continue
                decided.append(DecidedLabel(event, partition, trigger))
                corrections.update(f.correction for f in knowledge.feedback if f.correction)
            state.touched.clear()
            state.sweep()
        return DecidedBatch(decided, self._take_counts(), corrections)

    def mark_written(self, events: Iterable[WrittenEvent]) -> None:
        """Record label events that are in the table; the last of several for one trace counts.

        ``decide`` then returns none of them again, and none that they outrank. Events of another
        policy or calibration are ignored.
        """
        generation = self._scorer.generation
        comparable = [
            event for event in events if event.revision // REVISIONS_PER_GENERATION == generation
        ]
        if not comparable:
            return
        keys = digest_ids((event.trace_id for event in comparable), self._scorer.policy.audit.seed)
        marks = np.array(
            [written_mark(e.label_event_id, e.revision) for e in comparable], np.uint64
        )
        for state in self._states.values():
            state.set_written(keys, marks)

    def count_in_other_partitions(self, trace_ids: Collection[str], partition: int) -> int:
        """Count the traces that are known in a partition other than this one."""
        keys = digest_ids(trace_ids, self._scorer.policy.audit.seed)
        others = [state for key, state in self._states.items() if key != partition]
        is_known = [state.rows_of(keys) != NO_ROW for state in others]
        return int(np.any(is_known, axis=0).sum()) if is_known else 0

    def halve_window(self) -> None:
        """Halve the window, to use less memory."""
        self._window //= 2
        for state in self._states.values():
            state.halve_window()

    def drop(self, partitions: Iterable[int]) -> None:
        """Remove partitions, with everything undecided in them."""
        for partition in partitions:
            state = self._states.pop(partition, None)
            if state is not None:
                _add_counts(self._counts, state.counts)

    @property
    def window(self) -> int:
        """Return the current window in microseconds."""
        return self._window

    @property
    def watermarks(self) -> Mapping[int, int]:
        """Return the latest event time by partition (microseconds since 1970, UTC)."""
        return {partition: state.watermark for partition, state in self._states.items()}

    @property
    def partitions(self) -> frozenset[int]:
        """Return the partitions that have state."""
        return frozenset(self._states)

    def size(self) -> JoinSize:
        """Return the size of all states."""
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
        policy = self._scorer.policy
        if kind is RecordKind.TRACE:
            traces = read_trace_rows(rows, policy.audit.seed)
            state.add_traces(traces, traces.offset >= position)
        else:
            feedback = read_feedback_rows(rows, policy.audit.seed, policy.kinds_in_order)
            state.add_feedback(feedback, feedback.offset >= position)

    def _take_counts(self) -> JoinCounts:
        counts, self._counts = self._counts, JoinCounts()
        for state in self._states.values():
            _add_counts(counts, state.counts)
            state.counts = JoinCounts()
        return counts


def _by_partition(
    rows: pa.RecordBatch, partitions: Container[int] | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows of each of these partitions (None: of all)."""
    present = np.unique(rows.column("_partition").to_numpy(zero_copy_only=False)).tolist()
    for partition in present:
        if partitions is None or partition in partitions:
            yield partition, rows if len(present) == 1 else _where(rows, "_partition", partition)


def _mark(event: LabelEvent) -> int:
    return written_mark(event.label_event_id, event.revision)


def _where(rows: Any, column: str, value: int) -> Any:
    return rows.filter(pc.equal(rows.column(column), value))


def _add_counts(total: JoinCounts, counts: JoinCounts) -> None:
    total.late_traces += counts.late_traces
    total.late_feedback += counts.late_feedback
    total.unmatched += counts.unmatched
    total.repeated += counts.repeated
