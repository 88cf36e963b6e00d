"""Metrics that are a judge's verdicts, taken at its word, with the range that the rest allows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from judges.as_judged import judged_rate
from judges.metrics.metric import (
    LeftOut,
    MeasuredRow,
    MetricEstimate,
    MetricIdentity,
    MetricVerdict,
    mean_metric,
)
from judges.ways import WayKind

_LEFT_OUT: dict[str, LeftOut] = {
    "unknown": "unknown",
    "error": "error",
    "not_applicable": "not_applicable",
}


class WrongWayError(ValueError):
    """A metric is to be measured by verdicts of a way that cannot know it."""


def judged_metric(
    identity: MetricIdentity,
    rows: Iterable[MeasuredRow],
    judge: str,
    *,
    never_by: Sequence[WayKind] = (),
    confidence: float = 0.95,
) -> MetricEstimate:
    """Return the weighted share of pass ÷ (pass + fail) of a judge's verdicts.

    Raises WrongWayError if one of them was given by a way of ``never_by``.
    """
    held = list(rows)
    for row in held:
        verdict = row.verdicts.get(judge)
        if verdict is not None and verdict.way in never_by:
            raise WrongWayError(f"{identity.name} is never measured by a {verdict.way}")

    def value_of(row: MeasuredRow) -> float | LeftOut:
        return verdict_value(row.verdicts.get(judge))

    estimate = mean_metric(identity, held, value_of, confidence=confidence)
    answered = [(row, verdict) for row in held if (verdict := row.verdicts.get(judge)) is not None]
    rate = judged_rate((verdict.answer, row.weighted) for row, verdict in answered)
    return replace(estimate, least=rate.least, most=rate.most)


def verdict_value(verdict: MetricVerdict | None) -> float | LeftOut:
    """Return 1 for a pass, 0 for a fail, and the reason to leave a row out for the rest."""
    if verdict is None:
        return "not_judged"
    outcome = verdict.answer.outcome
    return _LEFT_OUT.get(outcome) or float(outcome == "pass")
