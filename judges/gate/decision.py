"""The decision of a gate: ship, block, not enough evidence, or cannot tell.

- *ship*: every requirement clears its bar, each at the whole level. No correction is needed, since
  a candidate that fails one must pass that one by chance (intersection-union, Berger 1982).
- *block*: a requirement or a segment fails, with Holm over all of them.
- *cannot tell*: nothing fails, and a requirement was not measured.
- *not enough evidence*: none of these.

So a candidate that is below one bar ships with a probability of at most the level, and one that is
below none is blocked with a probability of at most the level.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from judges.gate.bounds import OneSidedBounds
from judges.gate.definition import MARGIN, GateDefinition, RequirementRule
from judges.gate.human_bounds import human_bounds, human_difference
from judges.gate.human_claim import ReviewedVerdicts, reviewed_verdicts, unpaired, unvalidated
from judges.gate.metric_bounds import difference_bounds, metric_bounds
from judges.gate.metric_names import GateMetric
from judges.gate.readings import BASELINE, CANDIDATE, GateRows, GateSide, MetricReadings
from judges.gate.requirement import (
    BarTest,
    RequirementQuestion,
    RequirementResult,
    RequirementState,
    holm,
    result_of,
    state_of,
)
from judges.gate.segments import segment_questions

GateVerdict: TypeAlias = Literal["ship", "block", "not_enough_evidence", "cannot_tell"]


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What a gate decided at a look, and what it rests on.

    ``small_segments`` counts the segments that have too few rows to be tested. ``reason`` is set
    where no look was left. ``agreement`` is by metric, of those that have reviews of the candidate,
    and ``baseline_agreement`` of those that have reviews of the baseline.
    """

    decision: GateVerdict
    requirements: tuple[RequirementResult, ...]
    segments: tuple[RequirementResult, ...]
    small_segments: int
    outcomes: Mapping[str, Any]
    looks: int
    planned_looks: int
    level: float
    reason: str | None = None
    agreement: Mapping[str, ReviewedVerdicts] = field(default_factory=dict)
    baseline_agreement: Mapping[str, ReviewedVerdicts] = field(default_factory=dict)

    @property
    def is_look(self) -> bool:
        """Return whether it has looked at the candidate: a requirement could be measured."""
        return any(each.state != "not_measured" for each in self.requirements)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            "decision": self.decision,
            "requirements": [each.to_json() for each in self.requirements],
            "segments": [each.to_json() for each in self.segments],
            "small_segments": self.small_segments,
            "outcomes": dict(self.outcomes),
            "agreement": {name: found.to_json() for name, found in self.agreement.items()},
            "baseline_agreement": {
                name: found.to_json() for name, found in self.baseline_agreement.items()
            },
            "looks": self.looks,
            "planned_looks": self.planned_looks,
            "level": self.level,
            "reason": self.reason,
        }


class _TestedGate(NamedTuple):
    """What a gate tests, and what of it fails."""

    required: Sequence[RequirementQuestion]
    parts: Sequence[RequirementQuestion]
    small_segments: int
    failed: Sequence[bool]

    @property
    def questions(self) -> list[RequirementQuestion]:
        return [*self.required, *self.parts]


def decide_gate(definition: GateDefinition, rows: GateRows, *, at_look: int = 1) -> GateDecision:
    """Return the decision of a gate on its rows, at a look (from 1), with all that it rests on.

    A row without a verdict or a number is pending. Before the last planned look it is left out;
    from then on it counts as an error, so that nothing ships by leaving rows out.
    """
    tested, level = _test(definition, rows, at_look), definition.level
    failing_level = level / max(1, sum(each.test is not None for each in tested.questions))
    results = [
        result_of(question, level, failing_level, fails=fails)
        for question, fails in zip(tested.questions, tested.failed, strict=True)
    ]
    count = len(tested.required)
    names = dict.fromkeys(name for metric in definition.metrics.values() for name in metric.reads)
    used_up = at_look > definition.looks
    return GateDecision(
        decision=_verdict([each.state for each in results], count, used_up=used_up),
        requirements=tuple(results[:count]),
        segments=tuple(results[count:]),
        small_segments=tested.small_segments,
        outcomes=rows.outcomes(names),
        looks=at_look,
        planned_looks=definition.looks,
        level=level,
        reason=(
            f"this is look {at_look}, and {definition.looks} were planned: no probability is left"
            if used_up
            else None
        ),
        agreement=_agreement(rows, CANDIDATE, names),
        baseline_agreement=_agreement(rows, BASELINE, names),
    )


def gate_verdict(definition: GateDefinition, rows: GateRows, *, at_look: int = 1) -> GateVerdict:
    """Return the decision of `decide_gate` alone, which takes a small part of its time."""
    tested = _test(definition, rows, at_look)
    states = [
        state_of(question, definition.level, fails=fails)
        for question, fails in zip(tested.questions, tested.failed, strict=True)
    ]
    return _verdict(states, len(tested.required), used_up=at_look > definition.looks)


def _agreement(rows: GateRows, side: GateSide, names: Iterable[str]) -> dict[str, ReviewedVerdicts]:
    return {
        name: reviewed_verdicts(rows, side, name)
        for name in names
        if rows.reviews_of(side, name) and name in rows.side(side)
    }


def _test(definition: GateDefinition, rows: GateRows, look: int) -> _TestedGate:
    required = [
        question
        for text in definition.require
        for question in _questions(definition, rows, text, look)
    ]
    parts, small = segment_questions(definition, rows, required)
    failed = holm([each.test for each in (*required, *parts)], definition.level)
    return _TestedGate(required, parts, small, failed)


def _verdict(states: Sequence[RequirementState], required: int, *, used_up: bool) -> GateVerdict:
    """Return the decision by the states of requirements, followed by those of segments."""
    if used_up:
        return "cannot_tell"
    if "fails" in states:
        return "block"
    if "not_measured" in states:
        return "cannot_tell"
    return "ship" if set(states[:required]) == {"clears"} else "not_enough_evidence"


def _questions(
    definition: GateDefinition,
    rows: GateRows,
    text: str,
    look: int,
) -> list[RequirementQuestion]:
    """Return what is tested of one metric; a second rule has its name behind the metric's."""
    metric = definition.metrics[text]
    questions: list[RequirementQuestion] = []
    for rule, _, bar, more in definition.bars(text):
        name = f"{text}.{rule}" if questions else text
        reviews = _reviews(rows, metric, rule) if definition.is_reviewed(metric) else 0
        reason = _unmeasured(definition, rows, metric, rule, look)
        bounds = None
        if reason is None:
            bounds = _bounds(definition, rows, metric, rule)
            reason = "fewer than two rows have what it needs" if bounds is None else None
        test = None if bounds is None else BarTest(bounds, bar, more)
        questions.append(RequirementQuestion(name, text, rule, bar, test, reason, reviews))
    return questions


def _bounds(
    definition: GateDefinition,
    rows: GateRows,
    metric: GateMetric,
    rule: RequirementRule,
) -> OneSidedBounds | None:
    mask = np.ones(rows.size, np.bool_)
    if definition.is_reviewed(metric):
        of_humans = human_difference if rule == MARGIN else human_bounds
        return of_humans(rows, metric, mask)
    if rule == MARGIN:
        return difference_bounds(metric, rows.weights, rows.candidate, rows.baseline, mask)
    return metric_bounds(metric, rows.weights, rows.candidate, mask)


def _reviews(rows: GateRows, metric: GateMetric, rule: RequirementRule) -> int:
    """Return the reviewed rows: those of the candidate, or of both sides where they differ."""
    name = metric.verdict
    return len(rows.paired_reviews(name) if rule == MARGIN else rows.reviews_of(CANDIDATE, name))


def _unmeasured(
    definition: GateDefinition,
    rows: GateRows,
    metric: GateMetric,
    rule: RequirementRule,
    look: int,
) -> str | None:
    """Return why a requirement cannot be measured, None if it can."""
    sides: list[GateSide] = [CANDIDATE, BASELINE] if rule == MARGIN else [CANDIDATE]
    for side in sides:
        for name in metric.reads:
            readings = rows.side(side).get(name)
            if readings is None:
                return f"there is no {name} of the {side}"
            if reason := _over_limits(definition, readings, look):
                return f"{name} of the {side}: {reason}"
    if rule == MARGIN:
        for name in metric.reads:
            new, old = (rows.judges.get((side, name)) for side in (CANDIDATE, BASELINE))
            if new != old:
                return f"{name} of the baseline is by another judge, or another epoch of it"
    if definition.is_reviewed(metric):
        name, limit = metric.verdict, definition.judged.agreement_at_least
        reasons = [unvalidated(rows, side, name, limit) for side in sides]
        reasons += [unpaired(rows, name)] if rule == MARGIN else []
        return next((reason for reason in reasons if reason is not None), None)
    return None


def _over_limits(definition: GateDefinition, readings: MetricReadings, look: int) -> str | None:
    limits = definition.judged
    pending = readings.count("pending")
    applicable = len(readings.states) - readings.count("not_applicable")
    if look < definition.looks:
        applicable, pending = applicable - pending, 0
    if applicable <= 0:
        return "no row has it"
    missing = readings.count("error") + pending
    for word, count, limit in (
        ("unknown", readings.count("unknown"), limits.at_most_unknown),
        ("an error, or without an outcome", missing, limits.at_most_error),
    ):
        if count > limit * applicable * (1 + 1e-12):
            return f"{count} of {applicable} rows are {word}, and the limit is {limit:.1%}"
    return None
