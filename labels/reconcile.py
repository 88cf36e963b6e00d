"""The join as a batch job: the same decision, over everything that the lake holds of a trace.

It finds what the worker cannot: feedback later than the window, feedback of which the trace never
came, traces of one session in different partitions, reviews, silence. What it decides ranks above
what the worker decided from less (see `labels.decide`).
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from labels.batches import Digests, Ints, TraceRows, feedback_rows, trace_rows
from labels.decide import checked_clock, decide
from labels.evidence import Scales
from labels.facts import Knowledge, Session, Verdict
from labels.identity import Keys
from labels.state import PartitionState
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
    verdicts: Mapping[str, Sequence[Verdict]] = field(default_factory=dict)
    in_force: Mapping[str, str] = field(default_factory=dict)


def reconcile(
    rows: LakeRows,
    scales: Scales,
    *,
    as_of: int,
    now: int,
    wanted: Container[str] | None = None,
) -> Iterator[LabelEvent]:
    """Yield the label events that are missing, for the traces in ``wanted`` (None: for all).

    ``as_of``: both topics have been read up to this time. ``now`` is the clock. Both are in
    microseconds since 1970 (UTC). Raises FatalError if the clock is wrong.
    """
    now = checked_clock(now)
    for known in everything_known(rows, scales, as_of=as_of):
        if wanted is not None and known.trace_id not in wanted:
            continue
        event = decide(known, scales, decided_at=now)
        if event is not None and rows.in_force.get(known.trace_id) != event.label_event_id:
            yield event


def everything_known(
    rows: LakeRows, scales: Scales, *, as_of: int, window: int | None = None
) -> Iterator[Knowledge]:
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
        self._rows: list[tuple[Keys, Digests, Ints, Ints]] = []

    def add(self, rows: TraceRows) -> None:
        named = rows.session != 0
        columns = (rows.keys, rows.session, rows.started, rows.offset)
        self._rows.append(tuple(column[named] for column in columns))

    def judged(self, state: PartitionState) -> dict[int, Session]:
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


def _filled(rows: LakeRows, scales: Scales) -> tuple[PartitionState, _Sessions]:
    policy = scales.policy
    state, sessions = PartitionState(policy, None), _Sessions()
    for batch in rows.traces:
        seen = trace_rows(batch, policy.audit.seed)
        state.add_traces(seen, np.zeros(len(seen), np.bool_))
        sessions.add(seen)
    for batch in rows.feedback:
        said = feedback_rows(batch, policy.audit.seed, policy.kinds_in_order)
        state.add_feedback(said, np.zeros(len(said), np.bool_))
    state.settle_retries()
    return state, sessions
