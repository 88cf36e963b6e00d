"""The decision: a pure function from the facts about a trace to its label event.

The event's id is a hash over the policy, the calibration and the set of signals: the same evidence
has the same id, in whatever order and batches it came. Its revision is

    generation * 2**20 + 2 * (signals + 1 if the trace itself is known)
                       - (1 for each signal of absence) + 1022 * reviews
                       + 10 * (contents of the trace before the one in force, at most 50)

where the generation combines policy version and calibration version (first: 0). It grows with
everything that becomes known, and with every new policy or calibration. A label without the reviews
that another one rests on never outranks that one. The highest revision is in force.

A trace that was assembled again has another content, which may say less: a call that had failed has
been repeated and answered. Its own content gives a trace at most five signals, so ten for each
earlier content let the label of the newest content outrank those before it.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from labels.digests import is_drawn_for_audit
from labels.facts import TraceFacts, TraceKnowledge, latest_by_reviewer
from labels.readings import ABANDONED, SILENCE
from labels.scorer import LabelScorer
from labels.signals import Signal, resolve_feedback, signals_of
from schemas.errors import FatalError
from schemas.records import (
    EARLIEST_MICROS,
    LATEST_MICROS,
    Label,
    LabelEvent,
    Route,
)

REVISIONS_PER_GENERATION: Final = 2**20
"""The number of revisions of each combination of policy version and calibration version."""
_REVIEW = 1024
_CONTENT = 10
_ABSENT = frozenset({SILENCE, ABANDONED})
_MAX_EVIDENCE = REVISIONS_PER_GENERATION - 1


def decide_label(
    knowledge: TraceKnowledge, scorer: LabelScorer, *, decided_at: int, labelled: bool = False
) -> LabelEvent | None:
    """Return the label event of a trace, or None if nothing known about it warrants one.

    ``decided_at`` is the clock (microseconds since 1970, UTC); only the times in the event depend
    on it. A trace that has not arrived is decided only when ``closed``. A trace that is already
    ``labelled``, under an older policy or for another content, is always decided: otherwise the old
    label would stay in force. It then goes to reviewers only if it would have gone there anyway.
    """
    if knowledge.trace is None and not knowledge.closed:
        return None
    policy = scorer.policy
    trace = knowledge.trace
    signals = signals_of(knowledge, policy)
    rate = policy.audit.probability(trace.app) if trace is not None else 0.0
    drawn = is_drawn_for_audit(knowledge.trace_id, policy.audit.seed, rate)
    triggered = drawn or scorer.triggers_event(signals)
    if not triggered and not labelled:
        return None
    scored = scorer.score(signals)
    expected = choose_expected_response(knowledge, scorer)
    label = apply_thresholds(scored.p_fail, scorer)
    return LabelEvent(
        label_event_id=_event_id(knowledge, signals, expected, scorer),
        trace_id=knowledge.trace_id,
        revision=revision_of(signals, scorer, trace),
        label=label,
        p_fail=scored.p_fail,
        p_fail_low=scored.interval.low if scored.interval is not None else None,
        p_fail_high=scored.interval.high if scored.interval is not None else None,
        evidence=list(scored.items),
        expected_response=expected,
        route=_route(label, drawn=drawn) if triggered else "auto",
        audit_probability=rate if drawn else None,
        policy_version=scorer.policy_version,
        decided_at=decided_at,
        trace_started_at=trace.started_at if trace is not None else None,
        turnaround_ms=_elapsed_ms(trace.started_at, decided_at) if trace is not None else None,
        app=trace.app if trace is not None else None,
        segments=dict(trace.segments) if trace is not None else {},
    )


def apply_thresholds(p_fail: float, scorer: LabelScorer) -> Label:
    """Return the label for a probability of fail under the policy's two thresholds."""
    limits = scorer.policy.thresholds
    if p_fail >= limits.fail_at_least:
        return "fail"
    return "pass" if p_fail <= limits.pass_at_most else "unknown"


def choose_expected_response(knowledge: TraceKnowledge, scorer: LabelScorer) -> str | None:
    """Return the answer as it should have been: a reviewer's, or a correction by the policy."""
    policy = scorer.policy
    reviewed = [
        verdict
        for verdict in latest_by_reviewer(knowledge.verdicts)
        if verdict.expected_response is not None
    ]
    if reviewed:
        return max(reviewed, key=lambda v: (v.reviewed_at, v.review_id)).expected_response
    if policy.edits.becomes == "nothing":
        return None
    latest_first = [event for event, counts in resolve_feedback(knowledge, policy) if counts]
    for actor in policy.edits.actors:
        for event in latest_first:
            if event.actor == actor and event.kind in policy.edits.kinds and event.correction:
                return event.correction
    return None


def revision_of(signals: Sequence[Signal], scorer: LabelScorer, trace: TraceFacts | None) -> int:
    """Return the revision for a set of signals; see the module's formula."""
    count = 2 * (len(signals) + (trace is not None))
    count += _CONTENT * trace.contents if trace is not None else 0
    for signal in signals:
        if signal.kind in _ABSENT:
            count -= 1
        elif signal.actor == "reviewer" and signal.kind.startswith("review"):
            count += _REVIEW - 2
    evidence = max(1, min(count, _MAX_EVIDENCE))
    return scorer.generation * REVISIONS_PER_GENERATION + evidence


class EventRank(NamedTuple):
    """Decides which event of a trace is in force: the one with the greatest rank."""

    revision: int
    decided_at: int
    label_event_id: str

    @property
    def generation(self) -> int:
        """Return the generation: policy version and calibration version combined."""
        return self.revision // REVISIONS_PER_GENERATION

    @property
    def evidence(self) -> int:
        """Return the part of the revision that depends on the evidence alone."""
        return self.revision % REVISIONS_PER_GENERATION


def event_rank(event: LabelEvent) -> EventRank:
    """Return the rank of an event among all events of its trace."""
    return EventRank(event.revision, event.decided_at, event.label_event_id)


def events_in_force(events: Iterable[LabelEvent]) -> dict[str, LabelEvent]:
    """Return the event in force by trace id: the highest revision, the later one of equals."""
    in_force: dict[str, LabelEvent] = {}
    for event in events:
        other = in_force.get(event.trace_id)
        if other is None or event_rank(event) > event_rank(other):
            in_force[event.trace_id] = event
    return in_force


def check_clock(now: int) -> int:
    """Return ``now``; raise FatalError if this machine's clock is outside all event times."""
    if EARLIEST_MICROS <= now <= LATEST_MICROS:
        return now
    raise FatalError(
        "the clock of this machine is not between 2000 and 2100: no label was written. Set the "
        "clock and start again."
    )


def _route(label: Label, *, drawn: bool) -> Route:
    if drawn:
        return "audit"
    return "review" if label == "unknown" else "auto"


def _elapsed_ms(start: int, end: int) -> int | None:
    """Return the milliseconds between; None if a wrong clock makes them negative."""
    return (end - start) // 1000 if end >= start else None


def _event_id(
    knowledge: TraceKnowledge, signals: Sequence[Signal], expected: str | None, scorer: LabelScorer
) -> str:
    document = [
        knowledge.trace_id,
        knowledge.trace is not None,
        scorer.policy.hash,
        scorer.calibration.hash,
        [[s.kind, s.source_id, s.actor, s.at, s.counts] for s in signals],
        expected,
    ]
    encoded = json.dumps(document, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
