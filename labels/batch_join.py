"""The join as a batch job: the same decision, over everything that the lake holds of a trace.

It finds what the worker cannot: feedback later than the window, feedback of which the trace never
came, traces of one session in different partitions, reviews, silence. What it decides ranks above
what the worker decided from less (see `labels.decision`).
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from labels.batches import DigestArray, IntArray, TraceRows, read_feedback_rows, read_trace_rows
from labels.decision import check_clock, decide_label
from labels.digests import DigestPairs
from labels.facts import ReviewVerdict, SessionStatus, TraceKnowledge
from labels.join_partition import JoinPartition
from labels.scorer import LabelScorer
from schemas.records import LabelEvent


@dataclass(frozen=True, slots=True)
class LakeRows:
    """What the lake holds: rows of the tables, in any order and of any partitions.

    They must hold all that is known of the traces that are asked for, and of their sessions if the
    policy judges those. ``verdicts`` are the reviews by trace id, ``in_force`` the id of the label
    event in force by trace id.
    """

    traces: Iterable[pa.RecordBatch]
    feedback: Iterable[pa.RecordBatch]
    verdicts: Mapping[str, Sequence[ReviewVerdict]] = field(default_factory=dict)
    in_force: Mapping[str, str] = field(default_factory=dict)


def reconcile(
    rows: LakeRows,
    scales: LabelScorer,
    *,
    as_of: int,
    now: int,
    wanted: Container[str] | None = None,
) -> Iterator[LabelEvent]:
    """Yield the label events that are missing, for the traces in ``wanted`` (None: for all).

    ``as_of``: both topics have been read up to this time. ``now`` is the clock. Both are in
    microseconds since 1970 (UTC). Raises FatalError if the clock is wrong.
    """
    now = check_clock(now)
    for known in join_lake_rows(rows, scales, as_of=as_of):
        if wanted is not None and known.trace_id not in wanted:
            continue
        event = decide_label(known, scales, decided_at=now)
        if event is not None and rows.in_force.get(known.trace_id) != event.label_event_id:
            yield event


def join_lake_rows(
    rows: LakeRows, scales: LabelScorer, *, as_of: int, window: int | None = None
) -> Iterator[TraceKnowledge]:
    """Yield what is known of each trace, and of each that only feedback tells of.

    ``as_of`` as in `reconcile`; ``window`` in microseconds, the policy's if None.
    """
    state, sessions = _filled(rows, scales)
    ended = sessions.judged(state) if scales.policy.judges_sessions else {}
    wait = scales.policy.window_micros if window is None else window
    for row in state.all_rows():
        known = state.known(
            row,
            closed=state.started(row) + wait <= as_of,
            session=ended.get(row, "not judged"),
        )
        verdicts = rows.verdicts.get(known.trace_id)
        yield replace(known, verdicts=verdicts) if verdicts else known


class _Sessions:
    """When each session had its last trace."""

    def __init__(self) -> None:
        self._rows: list[tuple[DigestPairs, DigestArray, IntArray, IntArray]] = []

    def add(self, rows: TraceRows) -> None:
        named = rows.session != 0
        columns = (rows.keys, rows.session, rows.started, rows.offset)
        self._rows.append(tuple(column[named] for column in columns))

    def judged(self, state: JoinPartition) -> dict[int, SessionStatus]:
        """Return, for each row of a trace with a session, whether a later trace of it is known."""
        if not self._rows:
            return {}
        keys, sessions, started, offsets = map(np.concatenate, zip(*self._rows, strict=True))
        rows = state.rows_of(keys)
        counts = state.rests_on(rows, offsets)
        rows, sessions, started = rows[counts], sessions[counts], started[counts]
        _, number = np.unique(sessions, return_inverse=True)
        last = np.full(len(sessions), np.iinfo(np.int64).min)
        np.maximum.at(last, number.reshape(-1), started)
        goes_on = last[number.reshape(-1)] > started
        return {
            row: "continued" if later else "ended"
            for row, later in zip(rows.tolist(), goes_on.tolist(), strict=True)
        }


def _filled(rows: LakeRows, scales: LabelScorer) -> tuple[JoinPartition, _Sessions]:
    policy = scales.policy
    state, sessions = JoinPartition(policy, None), _Sessions()
    for batch in rows.traces:
        seen = read_trace_rows(batch, policy.audit.seed)
        state.add_traces(seen, np.zeros(len(seen), np.bool_))
        sessions.add(seen)
    for batch in rows.feedback:
        said = read_feedback_rows(batch, policy.audit.seed, policy.kinds_in_order)
        state.add_feedback(said, np.zeros(len(said), np.bool_))
    state.settle_retries()
    return state, sessions
