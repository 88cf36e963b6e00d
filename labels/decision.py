"""The decision: one pure function from what is known of a trace to its label event.

The event's id is a hash over the policy, the calibration and the set of signals: the same evidence
has the same id, in whatever order and batches it came. Its revision is

    generation * 2**20 + 2 * (signals + 1 if the trace itself is known)
                       - (1 for each signal of what did not come) + 1022 * reviews

where the generation counts policy version and calibration version (first: 0). It grows with
whatever becomes known, and with every new policy or calibration; a label without the reviews that
another one rests on never outranks that one. The highest revision is in force.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from labels.digests import is_drawn_for_audit
from labels.facts import TraceKnowledge, latest_by_reviewer
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
"""So many revisions has each policy version and calibration version together."""
_CALIBRATIONS = 2**10
_REVIEW = 1024
_ABSENT = frozenset({SILENCE, ABANDONED})
_MOST = REVISIONS_PER_GENERATION - 1


def decide_label(
    known: TraceKnowledge, scales: LabelScorer, *, decided_at: int, labelled: bool = False
) -> LabelEvent | None:
    """Return the label event of a trace, or None if nothing that is known is worth one.

    ``decided_at`` is the clock (microseconds since 1970, UTC); nothing but the times in the event
    depends on it. A trace that has not come (yet) is decided only when ``closed``. One that is
    ``labelled`` already, under an older policy, is decided whatever it is worth under this one:
    otherwise that label would stay in force; it goes to no reviewer for it.
    """
    if known.seen is None and not known.closed:
        return None
    policy = scales.policy
    seen = known.seen
    signals = signals_of(known, policy)
    rate = policy.audit.probability(seen.app) if seen is not None else 0.0
    drawn = is_drawn_for_audit(known.trace_id, policy.audit.seed, rate)
    opened = drawn or scales.opens(signals)
    if not opened and not labelled:
        return None
    weighed = scales.weigh(signals)
    expected = choose_expected_response(known, scales)
    label = apply_thresholds(weighed.p_fail, scales)
    return LabelEvent(
        label_event_id=_event_id(known, signals, expected, scales),
        trace_id=known.trace_id,
        revision=revision_of(signals, scales, trace_known=seen is not None),
        label=label,
        p_fail=weighed.p_fail,
        p_fail_low=weighed.range.low if weighed.range is not None else None,
        p_fail_high=weighed.range.high if weighed.range is not None else None,
        evidence=list(weighed.items),
        expected_response=expected,
        route=_route(label, drawn=drawn) if opened else "auto",
        audit_probability=rate if drawn else None,
        policy_version=policy_version_of(scales),
        decided_at=decided_at,
        trace_started_at=seen.started_at if seen is not None else None,
        turnaround_ms=_elapsed_ms(seen.started_at, decided_at) if seen is not None else None,
        app=seen.app if seen is not None else None,
        segments=dict(seen.segments) if seen is not None else {},
    )


def apply_thresholds(p_fail: float, scales: LabelScorer) -> Label:
    """Return what a probability of fail means under the policy's two thresholds."""
    limits = scales.policy.thresholds
    if p_fail >= limits.fail_at_least:
        return "fail"
    return "pass" if p_fail <= limits.pass_at_most else "unknown"


def choose_expected_response(known: TraceKnowledge, scales: LabelScorer) -> str | None:
    """Return the answer as it should have been: a reviewer's, or a correction by the policy."""
    policy = scales.policy
    reviewed = [v for v in latest_by_reviewer(known.verdicts) if v.expected_response is not None]
    if reviewed:
        return max(reviewed, key=lambda v: (v.reviewed_at, v.review_id)).expected_response
    if policy.edits.becomes == "nothing":
        return None
    latest_first = [item for item, stands in resolve_feedback(known, policy) if stands]
    for actor in policy.edits.actors:
        for item in latest_first:
            if item.actor == actor and item.kind in policy.edits.kinds and item.correction:
                return item.correction
    return None


def revision_of(signals: Sequence[Signal], scales: LabelScorer, *, trace_known: bool) -> int:
    """Return the revision that a set of signals has, as the module says."""
    count = 2 * (len(signals) + trace_known)
    for signal in signals:
        if signal.kind in _ABSENT:
            count -= 1
        elif signal.actor == "reviewer" and signal.kind.startswith("review"):
            count += _REVIEW - 2
    return generation_of(scales) * REVISIONS_PER_GENERATION + max(1, min(count, _MOST))


def generation_of(scales: LabelScorer) -> int:
    """Return the number of a policy version and calibration version together, from 0."""
    return (scales.policy.version - 1) * _CALIBRATIONS + scales.calibration.version


def policy_version_of(scales: LabelScorer) -> str:
    """Return how label events name the policy and the calibration they were made under."""
    policy, calibration = scales.policy, scales.calibration
    return (
        f"{policy.name}/{policy.version}-{policy.hash[:8]}"
        f"+{calibration.version}-{calibration.hash[:8]}"
    )


class EventRank(NamedTuple):
    """What decides which event of a trace is in force: the greatest of them is."""

    revision: int
    decided_at: int
    label_event_id: str

    @property
    def generation(self) -> int:
        """Return the number of the policy version and calibration version it was made under."""
        return self.revision // REVISIONS_PER_GENERATION

    @property
    def evidence(self) -> int:
        """Return what the revision says of the evidence alone."""
        return self.revision % REVISIONS_PER_GENERATION


def event_rank(event: LabelEvent) -> EventRank:
    """Return the rank of an event among all of its trace."""
    return EventRank(event.revision, event.decided_at, event.label_event_id)


def events_in_force(events: Iterable[LabelEvent]) -> dict[str, LabelEvent]:
    """Return, by trace id, the event in force: the highest revision, of equal ones the later."""
    found: dict[str, LabelEvent] = {}
    for event in events:
        other = found.get(event.trace_id)
        if other is None or event_rank(event) > event_rank(other):
            found[event.trace_id] = event
    return found


def check_clock(now: int) -> int:
    """Return ``now``, or raise FatalError if this machine's clock is outside all event times."""
    if EARLIEST_MICROS <= now <= LATEST_MICROS:
        return now
    raise FatalError(
        "the clock of this machine does not lie between 2000 and 2100: no label was written. Set "
        "it right and start again."
    )


def _route(label: Label, *, drawn: bool) -> Route:
    if drawn:
        return "audit"
    return "review" if label == "unknown" else "auto"


def _elapsed_ms(start: int, end: int) -> int | None:
    """Return the milliseconds between; None if a clock was wrong and time ran backwards."""
    return (end - start) // 1000 if end >= start else None


def _event_id(
    known: TraceKnowledge, signals: Sequence[Signal], expected: str | None, scales: LabelScorer
) -> str:
    document = [
        known.trace_id,
        known.seen is not None,
        scales.policy.hash,
        scales.calibration.hash,
        [[s.kind, s.source_id, s.actor, s.at, s.counts] for s in signals],
        expected,
    ]
    encoded = json.dumps(document, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
