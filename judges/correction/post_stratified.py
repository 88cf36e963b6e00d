"""The share of good answers as reviewers would say, post-stratified on the verdict.

Judges judge many rows and reviewers a random part of them. In each stratum k of the verdict the
reviewed rows give the share of good ones, and the judged rows give the stratum's weight:

    estimate = sum_k W_k y_k,    W_k = sum of weights of the judged rows in k / sum of all

A judge that errs errs in each stratum by a share that the reviews measure, so its bias cancels, and
a judge that says nothing makes the interval no narrower and hardly wider. This is tuned
prediction-powered inference for a verdict (Angelopoulos et al., PPI++, arXiv 2311.01453; Fisch et
al., StratPPI, arXiv 2406.04291), and older: Cochran, Sampling Techniques, 1977, 5A.9 and ch. 12.

Its variance has two parts. Within strata, that of the reviews:

    sum_k W_k² s_k² / (n_k + 1) · (1 - f_k) · d
    s_k² = q_k (1 - q_k),    q_k = (c_k + 1) / (n_k + 2)

where n_k reviews (Kish's effective number if their weights differ), c_k of them good, f_k the share
that the reviews are of the population, and d >= 1 the design effect of clusters. Between strata,
where the judged rows are a sample themselves: that of the weighted mean of y over the judged rows.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from judges.correction.strata import Stratum, merge_strata
from judges.correction.units import JudgedUnit, UnitArrays, between_variance, unit_arrays
from judges.effective_interval import effective_interval
from judges.weighted_rows import FloatArray, IndexArray, clustered_effect

_FEWEST: Final = 2
"""With fewer reviews there is no estimate."""


@dataclass(frozen=True, slots=True)
class StratumEstimate:
    """A stratum: its share of the population, its reviews, and the share of good ones in it."""

    outcomes: Stratum
    share: float
    reviews: int
    good: float


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """The estimated share of good answers, with its interval.

    ``reviews`` count the reviews that corrected it, ``judged`` the judged rows. ``effective`` is
    the number of reviews of a simple random sample of the same precision, and ``worth_in_reviews``
    how many reviews without a judge would give it, before clusters and finite populations are
    counted. ``design_effect`` is that of the clusters.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    reviews: int
    judged: int
    effective: float
    worth_in_reviews: float
    design_effect: float
    freedom: float
    strata: tuple[StratumEstimate, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON; an effective size without limit is null."""
        return {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "reviews": self.reviews,
            "judged": self.judged,
            "effective": self.effective if math.isfinite(self.effective) else None,
            "worth_in_reviews": self.worth_in_reviews,
            "design_effect": self.design_effect,
            "strata": [
                {
                    "outcomes": list(stratum.outcomes),
                    "share": stratum.share,
                    "reviews": stratum.reviews,
                    "good": stratum.good,
                }
                for stratum in self.strata
            ],
        }


def estimate_good_rate(
    units: Iterable[JudgedUnit], *, confidence: float = 0.95, stratified: bool = True
) -> CorrectedRate | None:
    """Estimate the share of good answers among all rows that the judge applies to.

    None with fewer than two reviews whose probability is known. Without ``stratified`` it is the
    same formula with one stratum: what the reviews say without the judge. The interval is that of
    `judges.effective_interval`. Raises ValueError for a probability outside 0 < p <= 1.
    """
    return estimate_of_arrays(unit_arrays(units), confidence=confidence, stratified=stratified)


def estimate_of_arrays(
    arrays: UnitArrays, *, confidence: float = 0.95, stratified: bool = True
) -> CorrectedRate | None:
    """Return `estimate_good_rate` of rows that are arrays already."""
    if arrays.reviews < _FEWEST:
        return None
    reviewed = arrays.stratum[arrays.of_review]
    counts = {name: int((reviewed == name).sum()) for name in np.unique(arrays.stratum).tolist()}
    # Without any reviews all strata are merged.
    strata = merge_strata(counts if stratified else dict.fromkeys(counts, 0))
    return _estimate(arrays, strata, confidence)


def _estimate(arrays: UnitArrays, strata: list[Stratum], confidence: float) -> CorrectedRate:
    of_unit, size = _stratum_numbers(arrays, strata), len(strata)
    of_review = of_unit[arrays.of_review]
    weight = arrays.review_weight
    totals = _sums(of_review, weight, size)
    rates = _sums(of_review, weight * arrays.good, size) / totals
    shares = _sums(of_unit, arrays.shares, size)
    sizes = totals**2 / _sums(of_review, weight**2, size)
    smooth = (rates * sizes + 1) / (sizes + 2)
    unseen = _sums(of_review, weight * (1 - arrays.review_chance), size) / totals
    deviations = shares[of_review] * weight * (arrays.good - rates[of_review]) / totals[of_review]
    cluster = arrays.cluster[arrays.of_review]
    clusters = len(np.unique(cluster))
    effect = clustered_effect(deviations, cluster)
    within = float(np.sum(shares**2 * smooth * (1 - smooth) / (sizes + 1) * unseen)) * effect
    estimate, smoothed = float(shares @ rates), float(shares @ smooth)
    freedom = max(1, min(arrays.reviews, clusters) - size)
    interval = effective_interval(
        estimate,
        smoothed=smoothed,
        variance=within + between_variance(arrays, rates[of_unit], estimate),
        freedom=freedom,
        confidence=confidence,
    )
    return CorrectedRate(
        estimate=estimate,
        low=interval.low,
        high=interval.high,
        confidence=confidence,
        reviews=arrays.reviews,
        judged=arrays.judged,
        effective=interval.effective,
        worth_in_reviews=arrays.reviews * _gain(shares, smooth, sizes, smoothed),
        design_effect=effect,
        freedom=freedom,
        strata=tuple(
            StratumEstimate(outcomes, float(shares[at]), int((of_review == at).sum()), rate)
            for at, (outcomes, rate) in enumerate(zip(strata, rates.tolist(), strict=True))
        ),
    )


def _sums(places: IndexArray, values: FloatArray, size: int) -> FloatArray:
    """Return the sum of the values at each place."""
    sums: FloatArray = np.bincount(places, weights=values, minlength=size).astype(float)
    return sums


def _stratum_numbers(arrays: UnitArrays, strata: list[Stratum]) -> IndexArray:
    numbers = {name: at for at, names in enumerate(strata) for name in names}
    names, places = np.unique(arrays.stratum, return_inverse=True)
    of_unit: IndexArray = np.array([numbers[name] for name in names.tolist()], np.int64)[places]
    return of_unit


def _gain(shares: FloatArray, smooth: FloatArray, sizes: FloatArray, smoothed: float) -> float:
    """Return the variance without strata over that with them: 1 / (1 - r²), r² adjusted for n.

    Cochran 1977, 5A.9, with the smoothed shares ``q`` of this module; at least 1.
    """
    within = float(shares @ (smooth * (1 - smooth) * sizes / np.maximum(sizes - 1, 1)))
    size = float(sizes.sum())
    return max(1.0, smoothed * (1 - smoothed) * size / max(size - 1, 1) / within)
