"""Measures how well probabilities of fail agree with the judgement of reviewers.

Every measure takes a weight for each judged trace, so that an uneven sample can represent all
traces.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

RELIABILITY_BINS = 10


class JudgedPrediction(NamedTuple):
    """A predicted probability of fail, and whether the answer failed."""

    p_fail: float
    failed: bool
    weight: float = 1.0


class ReliabilityBin(NamedTuple):
    """A bin of the reliability diagram: mean probability, share that failed, weight, reviews."""

    mean_p: float
    failed: float
    weight: float
    reviews: int


def brier_score(judged: Sequence[JudgedPrediction]) -> float:
    """Return the mean squared error of the probabilities (Brier, 1950); 0 is perfect."""
    total = sum(item.weight for item in judged)
    errors = sum(item.weight * (item.p_fail - item.failed) ** 2 for item in judged)
    return errors / total if total else 0.0


def reliability_bins(
    judged: Sequence[JudgedPrediction], bins: int = RELIABILITY_BINS
) -> list[ReliabilityBin]:
    """Return the non-empty bins, of equal width over [0, 1], from low to high."""
    return [reliability_bin for reliability_bin, _ in _binned(judged, bins)]


def calibration_error(
    judged: Sequence[JudgedPrediction], bins: int = RELIABILITY_BINS, *, debiased: bool = False
) -> float:
    """Return the expected calibration error (Naeini et al., AAAI 2015) over bins of equal width.

    A finite sample shows an error even for perfect probabilities. ``debiased`` subtracts from the
    square of each bin's gap the variance due to chance, down to 0 at least (after Kumar, Liang and
    Ma, NeurIPS 2019).
    """
    binned = [
        (b, _chance_variance(items) if debiased else 0.0) for b, items in _binned(judged, bins)
    ]
    total = sum(b.weight for b, _ in binned)
    gaps = sum(
        b.weight * math.sqrt(max(0.0, (b.mean_p - b.failed) ** 2 - variance))
        for b, variance in binned
    )
    return gaps / total if total else 0.0


def calibration_error_by_chance(
    judged: Sequence[JudgedPrediction], bins: int = RELIABILITY_BINS
) -> float:
    """Return the calibration error expected in this sample if the probabilities were perfect.

    The mean of |x| where x is normal with the variance of each bin's share: sqrt(2 v / pi).
    """
    binned = [(b, _chance_variance(items)) for b, items in _binned(judged, bins)]
    total = sum(b.weight for b, _ in binned)
    gaps = sum(b.weight * math.sqrt(2 * variance / math.pi) for b, variance in binned)
    return gaps / total if total else 0.0


def _binned(
    judged: Sequence[JudgedPrediction], bins: int
) -> list[tuple[ReliabilityBin, list[JudgedPrediction]]]:
    by_bin: list[list[JudgedPrediction]] = [[] for _ in range(bins)]
    for item in judged:
        by_bin[min(int(item.p_fail * bins), bins - 1)].append(item)
    return [(_bin(items), items) for items in by_bin if items]


def _chance_variance(items: Sequence[JudgedPrediction]) -> float:
    """Return the variance of a bin's share of failures if the probabilities are right."""
    weight = sum(item.weight for item in items)
    variance = sum(item.weight**2 * item.p_fail * (1 - item.p_fail) for item in items)
    return variance / weight**2 if weight else 0.0


def _bin(items: Sequence[JudgedPrediction]) -> ReliabilityBin:
    weight = sum(item.weight for item in items)
    mean = sum(item.weight * item.p_fail for item in items) / weight if weight else 0.0
    failed = sum(item.weight * item.failed for item in items) / weight if weight else 0.0
    return ReliabilityBin(mean, failed, weight, len(items))
