"""The join as a batch job: joins everything that the lake holds about a trace.

It finds what the worker cannot: feedback later than the window, feedback whose trace never came,
traces of one session in different partitions, reviews, silence. Its decisions outrank those that
the worker based on less (see `labels.decision`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from labels.digests import DigestArray, DigestPairs
from labels.facts import ReviewVerdict, SessionStatus, TraceKnowledge
from labels.join_partition import JoinPartition
from labels.join_rows import IntArray, TraceRows, read_feedback_rows, read_trace_rows
from labels.scorer import LabelScorer


@dataclass(frozen=True, slots=True)
class LakeRows:
    """Rows of the lake's tables, in any order and of any partitions.

    They must contain everything about the traces in question, and about their sessions if the
    policy judges sessions. ``verdicts`` are the reviews by trace id.
    """

    traces: Iterable[pa.RecordBatch]
    feedback: Iterable[pa.RecordBatch]
    verdicts: Mapping[str, Sequence[ReviewVerdict]] = field(default_factory=dict)


def join_lake_rows(
    rows: LakeRows, scorer: LabelScorer, *, as_of: int, window: int | None = None
) -> Iterator[TraceKnowledge]:
    """Yield what is known about each trace, including those known from feedback alone.

    ``as_of``: both topics have been read up to this time (microseconds since 1970, UTC). ``window``
    is in microseconds, the policy's if None.
    """
    state, sessions = _fill(rows, scorer)
    statuses = sessions.statuses(state) if scorer.policy.judges_sessions else {}
    wait = scorer.policy.window_micros if window is None else window
    for row in state.all_rows():
        knowledge = state.knowledge_of(
            row,
            closed=state.started_at(row) + wait <= as_of,
            session=statuses.get(row, "not judged"),
        )
        verdicts = rows.verdicts.get(knowledge.trace_id)
        yield replace(knowledge, verdicts=verdicts) if verdicts else knowledge


class _Sessions:
    """Finds whether each trace was the last of its session."""

    def __init__(self) -> None:
        self._rows: list[tuple[DigestPairs, DigestArray, IntArray, IntArray]] = []

    def add(self, rows: TraceRows) -> None:
        has_session = rows.session != 0
        columns = (rows.keys, rows.session, rows.started, rows.precedence)
        self._rows.append(tuple(column[has_session] for column in columns))

    def statuses(self, state: JoinPartition) -> dict[int, SessionStatus]:
        """Return the session's status for the row of each trace that has a session."""
        if not self._rows:
            return {}
        keys, sessions, started, precedence = map(np.concatenate, zip(*self._rows, strict=True))
        rows = state.rows_of(keys)
        in_force = state.is_in_force(rows, precedence)
        rows, sessions, started = rows[in_force], sessions[in_force], started[in_force]
        _, session_index = np.unique(sessions, return_inverse=True)
        last = np.full(len(sessions), np.iinfo(np.int64).min)
        np.maximum.at(last, session_index.reshape(-1), started)
        continues = last[session_index.reshape(-1)] > started
        return {
            row: "continued" if later else "ended"
            for row, later in zip(rows.tolist(), continues.tolist(), strict=True)
        }


def _fill(rows: LakeRows, scorer: LabelScorer) -> tuple[JoinPartition, _Sessions]:
    policy = scorer.policy
    state, sessions = JoinPartition(policy, None), _Sessions()
    for batch in rows.traces:
        traces = read_trace_rows(batch, policy.audit.seed)
        state.add_traces(traces, np.zeros(len(traces), np.bool_))
        sessions.add(traces)
    for batch in rows.feedback:
        feedback = read_feedback_rows(batch, policy.audit.seed, policy.kinds_in_order)
        state.add_feedback(feedback, np.zeros(len(feedback), np.bool_))
    state.find_retries()
    return state, sessions
