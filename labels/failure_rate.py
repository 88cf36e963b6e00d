"""Estimates the share of bad answers from the random audit arm, with an interval.

The uncertain traces that reviewers see first are not a fair sample and are left out. Each audited
trace was drawn with a known probability, so it represents 1 / probability traces.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labels.binomial_interval import clopper_pearson


class AuditedTrace(NamedTuple):
    """A reviewed trace of the audit arm, and the probability of its draw."""

    failed: bool
    probability: float


@dataclass(frozen=True, slots=True)
class FailureRateEstimate:
    """An estimated failure rate.

    ``hajek`` divides by the estimated number of traces, ``horvitz_thompson`` by the true one (None
    if unknown). Use the first: it does not depend on how many traces happened to be drawn, and is
    valid while a random part of them awaits review; the second is too low until all are reviewed.
    ``low`` to ``high`` is the interval around the first. ``effective`` is the size of an
    equal-probability sample of the same precision.
    """

    hajek: float
    horvitz_thompson: float | None
    low: float
    high: float
    confidence: float
    reviewed: int
    effective: float


def estimate_failure_rate(
    audited: Sequence[AuditedTrace], *, population: int | None = None, confidence: float = 0.95
) -> FailureRateEstimate | None:
    """Estimate the overall failure rate; None if nothing was audited.

    Horvitz and Thompson (JASA 47, 1952), Hájek (1971). The interval is that of Korn and Graubard
    (Survey Methodology 24, 1998): Clopper-Pearson on the effective sample size p(1-p)/var(p), which
    errs on the safe side, near 0 and 1 too. It does not cover mistakes of the reviewers. Raises
    ValueError for a probability outside 0 < p <= 1.
    """
    if not audited:
        return None
    if any(not 0 < item.probability <= 1 for item in audited):
        raise ValueError("an audit probability must be more than 0 and at most 1")
    weights = [1 / item.probability for item in audited]
    failed = math.fsum(w for w, item in zip(weights, audited, strict=True) if item.failed)
    total = math.fsum(weights)
    rate = failed / total
    effective = _effective(audited, weights, rate)
    low, high = clopper_pearson(rate * effective, effective, confidence)
    return FailureRateEstimate(
        hajek=rate,
        horvitz_thompson=failed / population if population else None,
        low=low,
        high=high,
        confidence=confidence,
        reviewed=len(audited),
        effective=effective,
    )


def effective_sample_size(weights: Sequence[float]) -> float:
    """Return the effective size of a weighted sample, (sum w)^2 / sum w^2 (Kish, 1965)."""
    squares = math.fsum(w * w for w in weights)
    return math.fsum(weights) ** 2 / squares if squares else 0.0


def _effective(audited: Sequence[AuditedTrace], weights: Sequence[float], rate: float) -> float:
    total = math.fsum(weights)
    variance = math.fsum(
        (w * (item.failed - rate)) ** 2 for w, item in zip(weights, audited, strict=True)
    ) / (total * total)
    if variance <= 0:
        return effective_sample_size(weights)
    return min(float(len(audited)), max(1.0, rate * (1 - rate) / variance))
