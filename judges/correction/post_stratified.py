"""The share of good answers as reviewers would say, post-stratified on the verdict.

Judges judge many rows and reviewers a random part of them. In each stratum k of the verdict the
reviewed rows give the share of good ones, and the judged rows give the stratum's weight:

    estimate = sum_k W_k y_k,    W_k = sum of weights of the judged rows in k / sum of all

A judge that errs errs in each stratum by a share that the reviews measure, so its bias cancels, and
a judge that says nothing makes the interval no narrower and hardly wider. This is tuned
prediction-powered inference for a verdict (Angelopoulos et al., PPI++, arXiv 2311.01453; Fisch et
al., StratPPI, arXiv 2406.04291), and older: Cochran, Sampling Techniques, 1977, 5A.9 and ch. 12.

Its variance is that of `judges.correction.stratified_reviews`, in which a stratum whose c_k of n_k
reviewed answers are good has

    s_k² = q_k (1 - q_k),    q_k = (c_k + 1) / (n_k + 2)
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from judges.correction.strata import OUTCOME_ORDER, Stratum
from judges.correction.stratified_reviews import StratifiedReviews, in_strata
from judges.correction.units import JudgedUnit, UnitArrays, unit_arrays
from judges.effective_interval import effective_interval
from judges.weighted_rows import FloatArray

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
    if stratified:
        return _estimate(in_strata(arrays, OUTCOME_ORDER), confidence)
    names = tuple(np.unique(arrays.stratum).tolist())
    return _estimate(StratifiedReviews.of(arrays, [names]), confidence)


def _estimate(reviews: StratifiedReviews, confidence: float) -> CorrectedRate:
    arrays, sizes, shares = reviews.arrays, reviews.sizes, reviews.shares
    rates = reviews.stratum_means(arrays.good)
    smooth = (rates * sizes + 1) / (sizes + 2)
    smoothed = float(shares @ smooth)
    interval = effective_interval(
        float(shares @ rates),
        smoothed=smoothed,
        variance=reviews.variance(arrays.good, smooth * (1 - smooth)),
        freedom=reviews.freedom,
        confidence=confidence,
    )
    return CorrectedRate(
        estimate=float(shares @ rates),
        low=interval.low,
        high=interval.high,
        confidence=confidence,
        reviews=arrays.reviews,
        judged=arrays.judged,
        effective=interval.effective,
        worth_in_reviews=arrays.reviews * _gain(shares, smooth, sizes, smoothed),
        design_effect=reviews.design_effect(arrays.good),
        freedom=reviews.freedom,
        strata=tuple(
            StratumEstimate(*each)
            for each in zip(
                reviews.strata, shares.tolist(), reviews.counts, rates.tolist(), strict=True
            )
        ),
    )


def _gain(shares: FloatArray, smooth: FloatArray, sizes: FloatArray, smoothed: float) -> float:
    """Return the variance without strata over that with them: 1 / (1 - r²), r² adjusted for n.

    Cochran 1977, 5A.9, with the smoothed shares ``q`` of this module; at least 1.
    """
    within = float(shares @ (smooth * (1 - smooth) * sizes / np.maximum(sizes - 1, 1)))
    size = float(sizes.sum())
    return max(1.0, smoothed * (1 - smoothed) * size / max(size - 1, 1) / within)
