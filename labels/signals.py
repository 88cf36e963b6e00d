"""Signals: what the records of a trace say, each of them once, whatever order they came in.

Every feedback event that the policy looks at gives one signal, also one that no longer counts: it
was sent again under its id with something else, or the same user said something later of the same
kind. So the set of signals only grows with what is known, and its size can number the revisions.
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
"""Where one of them counts, the other is listed too: it is what takes the first one back."""


class Signal(NamedTuple):
    """One signal of one trace.

    ``source_id`` is the id of the feedback event or the review, None if it came from the trace.
    ``name`` is the signal of the policy, None if what was said counts for nothing there. ``counts``
    is False for what something later has taken back. ``at`` is its time, 0 for the trace's own.
    """

    kind: str
    source_id: str | None
    actor: str | None
    at: int
    name: str | None
    counts: bool


def signals_of(known: TraceKnowledge, policy: LabelPolicy) -> list[Signal]:
    """Return all signals of a trace, in an order that depends on nothing but themselves."""
    said = [
        _of_feedback(item, policy, counts=counts)
        for item, counts in resolve_feedback(known, policy)
    ]
    own = _of_trace(known, policy, silent=not said)
    return sorted([*said, *own, *_of_verdicts(known, policy)], key=_order)


def resolve_feedback(
    known: TraceKnowledge, policy: LabelPolicy
) -> list[tuple[FeedbackFacts, bool]]:
    """Pair each feedback event that the policy looks at with whether it still stands.

    Of one feedback id the latest stands, and of one user (and kind, and actor) the latest; latest
    first. Events of users that are not named stand each for themselves.
    """
    looked_at = {item for item in known.said if item.kind in policy.kinds}
    ids: set[str] = set()
    voices: set[tuple[int, str, str]] = set()
    found = []
    for item in sorted(looked_at, key=_said_order, reverse=True):
        voice = (item.voice, item.kind, item.actor)
        stands = item.feedback_id not in ids and voice not in voices
        if item.feedback_id not in ids:
            ids.add(item.feedback_id)
            if item.voice != NO_USER:
                voices.add(voice)
        found.append((item, stands))
    return found


def _of_feedback(item: FeedbackFacts, policy: LabelPolicy, *, counts: bool) -> Signal:
    cuts = policy.ratings
    reading = feedback_reading(item.kind, item.value, low=cuts.low, high=cuts.high)
    name = policy.signal_for(reading, item.actor) if reading is not None else None
    return Signal(
        reading or item.kind, item.feedback_id, item.actor, item.occurred_at, name, counts
    )


def _of_trace(known: TraceKnowledge, policy: LabelPolicy, *, silent: bool) -> list[Signal]:
    return [
        Signal(reading, None, None, 0, policy.signal_for(reading, None), counts=True)
        for reading in _readings(known, policy, silent=silent)
        if reading in policy.readings or (reading in _SESSION and policy.judges_sessions)
    ]


def _readings(known: TraceKnowledge, policy: LabelPolicy, *, silent: bool) -> Iterator[str]:
    if known.retried:
        yield RETRY
    seen = known.seen
    if seen is None:
        return
    if seen.failed:
        yield ERROR
    if seen.truncated:
        yield TRUNCATED
    if not known.closed:
        return
    if known.session != "not judged":
        yield CONTINUED if known.session == "continued" else ABANDONED
    if silent and policy.exposure.holds(seen.app, seen.segments):
        yield SILENCE


def _of_verdicts(known: TraceKnowledge, policy: LabelPolicy) -> Iterable[Signal]:
    """Return a signal for each review; those that their reviewer has replaced do not count."""
    stands = set(latest_by_reviewer(known.verdicts))
    for verdict in set(known.verdicts):
        reading = _VERDICTS.get(verdict.label)
        name = policy.signal_for(reading, None) if reading is not None else None
        at, counts = verdict.reviewed_at, verdict in stands
        yield Signal(reading or "review", verdict.review_id, "reviewer", at, name, counts)


_VERDICTS: Final[Mapping[str | None, str]] = {"fail": REVIEW_FAIL, "pass": REVIEW_PASS}


def _said_order(item: FeedbackFacts) -> tuple[object, ...]:
    """Order by time; what happened at the same moment by content, so that no order of arrival can
    decide."""
    value = (item.value is not None, item.value or 0.0)
    text = (item.correction is not None, item.correction or "")
    return (item.occurred_at, item.feedback_id, item.kind, item.actor, item.voice, value, text)


def _order(signal: Signal) -> tuple[object, ...]:
    return (
        signal.at,
        signal.kind,
        signal.source_id or "",
        signal.actor or "",
        signal.name or "",
        signal.counts,
    )
