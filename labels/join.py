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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labels.batches import FEEDBACK_COLUMNS, TRACE_COLUMNS, feedback_rows, trace_rows
from labels.decide import checked_clock, decide
from labels.evidence import Scales
from labels.state import Cause, Counts, PartitionState
from schemas.provenance import RecordKind
from schemas.records import LabelEvent

COLUMNS: Final[Mapping[RecordKind, tuple[str, ...]]] = {
    RecordKind.TRACE: TRACE_COLUMNS,
    RecordKind.FEEDBACK: FEEDBACK_COLUMNS,
}
"""The columns that the join reads of a batch of each kind."""


class Decided(NamedTuple):
    """A label event, the partition it belongs to, and the record that called for it."""

    event: LabelEvent
    partition: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Taken:
    """What is to be written now, and what became of records that nothing is written for."""

    decided: list[Decided]
    counts: Counts


class JoinSize(NamedTuple):
    """How much the join holds. ``waiting``: traces that have feedback but have not come."""

    traces: int
    waiting: int
    feedback: int
    bytes: int


class Join:
    """The state of every partition that this worker owns."""

    def __init__(self, scales: Scales, *, window: int | None = None) -> None:
        """``window`` in microseconds of event time; the policy's if None."""
        self._scales = scales
        self._window = scales.policy.window_micros if window is None else window
        self._states: dict[int, PartitionState] = {}
        self._counts = Counts()

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
        rows = batch.select(COLUMNS[kind])
        numbers = np.unique(rows.column("_partition").to_numpy(zero_copy_only=False)).tolist()
        for partition in numbers:
            part = rows if len(numbers) == 1 else _where(rows, "_partition", partition)
            self._add(kind, partition, part, decided.get(partition, 0))

    def rebuild(
        self,
        partition: int,
        *,
        traces: Iterable[pa.RecordBatch],
        feedback: Iterable[pa.RecordBatch],
        decided: Mapping[RecordKind, int],
    ) -> None:
        """Fill the state of one partition from the lake, in place of what it was.

        ``traces`` and ``feedback`` hold at least the rows of the window, of the one topic each, in
        any order; rows of other partitions are left out here. ``decided`` as in ``add``, by kind:
        rows from there on are in the lake but without labels yet, and call for them.
        """
        self.drop([partition])
        self._states[partition] = PartitionState(self._scales.policy, self._window)
        later: list[tuple[RecordKind, pa.RecordBatch]] = []
        for kind, batches in ((RecordKind.TRACE, traces), (RecordKind.FEEDBACK, feedback)):
            position = decided.get(kind, 0)
            for batch in batches:
                rows = _where(batch.select(COLUMNS[kind]), "_partition", partition)
                old = pc.less(rows.column("_offset"), position)
                self._add(kind, partition, rows.filter(old), position)
                later.append((kind, rows.filter(pc.invert(old))))
        self._states[partition].settle_retries()
        for kind, rows in later:
            self._add(kind, partition, rows, 0)

    def take(self, *, now: int) -> Taken:
        """Decide about every trace that something new is known of; forget what left the window.

        ``now`` is the clock in microseconds since 1970 (UTC). The events are to be written together
        with the positions of all that was added so far. Raises FatalError if the clock is wrong.
        """
        now = checked_clock(now)
        decided = []
        for partition, state in self._states.items():
            for row, cause in state.touched.items():
                event = decide(state.known(row), self._scales, decided_at=now)
                if event is not None:
                    decided.append(Decided(event, partition, cause))
            state.touched.clear()
            state.sweep()
        return Taken(decided, self._take_counts())

    def again(self, decided: Iterable[Decided]) -> None:
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

    def _add(self, kind: RecordKind, partition: int, rows: Any, position: int) -> None:
        if rows.num_rows == 0:
            return
        policy = self._scales.policy
        state = self._states.get(partition)
        if state is None:
            state = self._states[partition] = PartitionState(policy, self._window)
        if kind is RecordKind.TRACE:
            traces = trace_rows(rows, policy.audit.seed)
            state.add_traces(traces, traces.offset >= position)
        else:
            feedback = feedback_rows(rows, policy.audit.seed, policy.kinds_in_order)
            state.add_feedback(feedback, feedback.offset >= position)

    def _take_counts(self) -> Counts:
        taken, self._counts = self._counts, Counts()
        for state in self._states.values():
            _add_counts(taken, state.counts)
            state.counts = Counts()
        return taken


def _where(rows: Any, column: str, value: int) -> Any:
    return rows.filter(pc.equal(rows.column(column), value))


def _add_counts(total: Counts, more: Counts) -> None:
    total.late_traces += more.late_traces
    total.late_feedback += more.late_feedback
    total.unmatched += more.unmatched
    total.repeated += more.repeated
