"""How good probabilities and labels are, held against what reviewers (or the truth) say.

Every measure takes weights, one for each judged trace, so that a sample that was not drawn evenly
can stand for all traces.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

RELIABILITY_BINS = 10


class JudgedPrediction(NamedTuple):
    """A probability of fail that was given, and what it turned out to be."""

    p_fail: float
    failed: bool
    weight: float = 1.0


class ReliabilityBin(NamedTuple):
    """A bin of the reliability diagram: mean probability, share that failed, weight, number."""

    mean_p: float
    failed: float
    weight: float
    reviews: int


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How labels fare. Whoever abstains has not found a failure: unknown counts as not found.

    ``abstained`` is the share of unknown, beside which the others must be read.
    """

    precision: float
    recall: float
    f1: float
    abstained: float


def brier_score(judged: Sequence[JudgedPrediction]) -> float:
    """Return the mean squared error of the probabilities (Brier, 1950); 0 is perfect."""
    total = sum(item.weight for item in judged)
    errors = sum(item.weight * (item.p_fail - item.failed) ** 2 for item in judged)
    return errors / total if total else 0.0


def reliability_bins(
    judged: Sequence[JudgedPrediction], bins: int = RELIABILITY_BINS
) -> list[ReliabilityBin]:
    """Return bins of equal width over [0, 1] that are not empty, from low to high."""
    return [part for part, _ in _binned(judged, bins)]


def calibration_error(
    judged: Sequence[JudgedPrediction], bins: int = RELIABILITY_BINS, *, debiased: bool = False
) -> float:
    """Return the expected calibration error (Naeini et al., AAAI 2015) over bins of equal width.

    A finite sample shows an error even of perfect probabilities. ``debiased`` takes from the square
    of each bin's gap the variance that chance gives it, and never leaves less than 0 (after Kumar,
    Liang and Ma, NeurIPS 2019).
    """
    parts = [(part, _chance(items) if debiased else 0.0) for part, items in _binned(judged, bins)]
    total = sum(part.weight for part, _ in parts)
    gaps = sum(
        part.weight * math.sqrt(max(0.0, (part.mean_p - part.failed) ** 2 - chance))
        for part, chance in parts
    )
    return gaps / total if total else 0.0


def calibration_error_by_chance(
    judged: Sequence[JudgedPrediction], bins: int = RELIABILITY_BINS
) -> float:
    """Return the calibration error to expect of this sample if the probabilities were perfect.

    The mean of |x| where x is normal with the variance of each bin's share: sqrt(2 v / pi).
    """
    parts = [(part, _chance(items)) for part, items in _binned(judged, bins)]
    total = sum(part.weight for part, _ in parts)
    gaps = sum(part.weight * math.sqrt(2 * chance / math.pi) for part, chance in parts)
    return gaps / total if total else 0.0


def score_labels(labels: Sequence[str], failed: Sequence[bool]) -> LabelScore:
    """Score labels (pass, fail, unknown) against the truth, on the class fail."""
    pairs = list(zip(labels, failed, strict=True))
    hits = sum(label == "fail" and bad for label, bad in pairs)
    called = sum(label == "fail" for label in labels)
    there = sum(failed)
    return LabelScore(
        precision=hits / called if called else 0.0,
        recall=hits / there if there else 0.0,
        f1=2 * hits / (called + there) if called + there else 0.0,
        abstained=sum(label == "unknown" for label in labels) / len(labels) if labels else 0.0,
    )


def _binned(
    judged: Sequence[JudgedPrediction], bins: int
) -> list[tuple[ReliabilityBin, list[JudgedPrediction]]]:
    found: list[list[JudgedPrediction]] = [[] for _ in range(bins)]
    for item in judged:
        found[min(int(item.p_fail * bins), bins - 1)].append(item)
    return [(_bin(items), items) for items in found if items]


def _chance(items: Sequence[JudgedPrediction]) -> float:
    """Return the variance of the share that failed in a bin, if the probabilities are right."""
    weight = sum(item.weight for item in items)
    variance = sum(item.weight**2 * item.p_fail * (1 - item.p_fail) for item in items)
    return variance / weight**2 if weight else 0.0


def _bin(items: Sequence[JudgedPrediction]) -> ReliabilityBin:
    weight = sum(item.weight for item in items)
    mean = sum(item.weight * item.p_fail for item in items) / weight if weight else 0.0
    failed = sum(item.weight * item.failed for item in items) / weight if weight else 0.0
    return ReliabilityBin(mean, failed, weight, len(items))
