"""Signals: what the records of a trace say, each listed once, in any order of arrival.

Every feedback event of a kind in the policy gives one signal. That includes events that no longer
count: the id was sent again with other content, or the same user later gave feedback of the same
kind. So the set of signals only grows as more becomes known, and its size can number revisions.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from labels.facts import NO_USER, FeedbackFacts, TraceKnowledge, latest_by_reviewer
from labels.policy import LabelPolicy
from labels.readings import (
    ABANDONED,
    CONTINUED,
    ERROR,
    RETRY,
    REVIEW_FAIL,
    REVIEW_PASS,
    SILENCE,
    TRUNCATED,
    feedback_reading,
)

_SESSION = frozenset({ABANDONED, CONTINUED})
"""If one of them counts, the other is listed too, since it takes the first one back."""


class Signal(NamedTuple):
    """One signal of one trace.

    ``source_id`` is the id of the feedback event or the review, None if the signal comes from the
    trace. ``name`` is the policy's signal, None if the reading counts for nothing there. ``counts``
    is False if something later has taken it back. ``at`` is its time, 0 for the trace's own.
    """

    kind: str
    source_id: str | None
    actor: str | None
    at: int
    name: str | None
    counts: bool


def signals_of(knowledge: TraceKnowledge, policy: LabelPolicy) -> list[Signal]:
    """Return all signals of a trace, in an order that depends only on the signals."""
    feedback = [
        _feedback_signal(event, policy, counts=counts)
        for event, counts in resolve_feedback(knowledge, policy)
    ]
    own = _trace_signals(knowledge, policy, silent=not feedback)
    return sorted([*feedback, *own, *_verdict_signals(knowledge, policy)], key=_order)


def resolve_feedback(
    knowledge: TraceKnowledge, policy: LabelPolicy
) -> list[tuple[FeedbackFacts, bool]]:
    """Pair each feedback event of a kind in the policy with whether it still counts, latest first.

    For each feedback id the latest event counts, and for each user, kind and actor the latest.
    Events without a user each count by themselves.
    """
    considered = {event for event in knowledge.feedback if event.kind in policy.kinds}
    ids: set[str] = set()
    users: set[tuple[int, str, str]] = set()
    resolved = []
    for event in sorted(considered, key=_feedback_order, reverse=True):
        user = (event.user_digest, event.kind, event.actor)
        counts = event.feedback_id not in ids and user not in users
        if event.feedback_id not in ids:
            ids.add(event.feedback_id)
            if event.user_digest != NO_USER:
                users.add(user)
        resolved.append((event, counts))
    return resolved


def _feedback_signal(event: FeedbackFacts, policy: LabelPolicy, *, counts: bool) -> Signal:
    cuts = policy.ratings
    reading = feedback_reading(event.kind, event.value, low=cuts.low, high=cuts.high)
    name = policy.signal_for(reading, event.actor) if reading is not None else None
    return Signal(
        reading or event.kind, event.feedback_id, event.actor, event.occurred_at, name, counts
    )


def _trace_signals(knowledge: TraceKnowledge, policy: LabelPolicy, *, silent: bool) -> list[Signal]:
    return [
        Signal(reading, None, None, 0, policy.signal_for(reading, None), counts=True)
        for reading in _trace_readings(knowledge, policy, silent=silent)
        if reading in policy.readings or (reading in _SESSION and policy.judges_sessions)
    ]


def _trace_readings(
    knowledge: TraceKnowledge, policy: LabelPolicy, *, silent: bool
) -> Iterator[str]:
    if knowledge.retried:
        yield RETRY
    trace = knowledge.trace
    if trace is None:
        return
    if trace.failed:
        yield ERROR
    if trace.truncated:
        yield TRUNCATED
    if not knowledge.closed:
        return
    if knowledge.session != "not judged":
        yield CONTINUED if knowledge.session == "continued" else ABANDONED
    if silent and policy.exposure.applies_to(trace.app, trace.segments):
        yield SILENCE


def _verdict_signals(knowledge: TraceKnowledge, policy: LabelPolicy) -> Iterable[Signal]:
    """Return a signal for each review; a review that its reviewer has replaced does not count."""
    latest = set(latest_by_reviewer(knowledge.verdicts))
    for verdict in set(knowledge.verdicts):
        reading = _VERDICT_READINGS.get(verdict.label)
        name = policy.signal_for(reading, None) if reading is not None else None
        at, counts = verdict.reviewed_at, verdict in latest
        yield Signal(reading or "review", verdict.review_id, "reviewer", at, name, counts)


_VERDICT_READINGS: Final[Mapping[str | None, str]] = {"fail": REVIEW_FAIL, "pass": REVIEW_PASS}


def _feedback_order(event: FeedbackFacts) -> tuple[object, ...]:
    """Order by time, then by content, so that the order of arrival never decides."""
    value = (event.value is not None, event.value or 0.0)
    text = (event.correction is not None, event.correction or "")
    return (
        event.occurred_at,
        event.feedback_id,
        event.kind,
        event.actor,
        event.user_digest,
        value,
        text,
    )


def _order(signal: Signal) -> tuple[object, ...]:
    return (
        signal.at,
        signal.kind,
        signal.source_id or "",
        signal.actor or "",
        signal.name or "",
        signal.counts,
    )
