"""The share of good answers from a judge that gives probabilities, tuned on the reviews.

With g = 1 - p_fail, y what reviewers say (1 is good), judged rows weighted by w and reviewed rows
by v:

    estimate = mean_v(y) + λ (mean_w(g) - mean_v(g)),    λ = Cov_v(y, g) / Var_v(g), from 0 to 1

The reviewed rows are among the judged ones, so this is the regression estimator of two-phase
sampling (Cochran, Sampling Techniques, 1977, 12.6), which PPI++ is with such a sample (Angelopoulos
et al., arXiv 2311.01453, with its λ for a disjoint one: Cov / (Var (1 + n / N))). A judge whose
probabilities say nothing has λ = 0, and is left out. Rows without a probability (errors) have g at
the mean of the reviewed rows that have one: they move nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from judges.correction.units import JudgedUnit, UnitArrays, between_variance, unit_arrays
from judges.effective_interval import effective_interval
from judges.weighted_rows import FloatArray, clustered_effect

_FEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class TunedRate:
    """The estimated share of good answers; fields as those of `CorrectedRate`.

    ``tuning`` is λ: how far the probabilities are believed.
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
    tuning: float

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "reviews": self.reviews,
            "judged": self.judged,
            "worth_in_reviews": self.worth_in_reviews,
            "design_effect": self.design_effect,
            "tuning": self.tuning,
        }


def estimate_tuned_rate(
    units: Iterable[JudgedUnit], *, confidence: float = 0.95
) -> TunedRate | None:
    """Estimate the share of good answers among all rows that the judge applies to.

    None with fewer than three reviews whose probability is known, or without any probability of
    the judge. The interval is that of `judges.effective_interval`; its variance is that of
    y - λ g among the reviews, with the smoothed variance of y times 1 - r² as a lower limit, and
    that of λ g among judged rows that are a sample themselves.
    """
    return tuned_rate_of_arrays(unit_arrays(units), confidence=confidence)


def tuned_rate_of_arrays(arrays: UnitArrays, *, confidence: float = 0.95) -> TunedRate | None:
    """Return `estimate_tuned_rate` of rows that are arrays already."""
    if arrays.reviews < _FEWEST or np.isnan(arrays.p_fail[arrays.of_review]).all():
        return None
    shares = arrays.review_weight / arrays.review_weight.sum()
    good, judged = arrays.good, _probability_of_good(arrays, shares)
    of_reviewed = judged[arrays.of_review]
    mean_good, mean_judged = float(shares @ good), float(shares @ of_reviewed)
    spread = float(shares @ (of_reviewed - mean_judged) ** 2)
    shared = float(shares @ ((of_reviewed - mean_judged) * (good - mean_good)))
    tuning = min(1.0, max(0.0, shared / spread)) if spread > 0 else 0.0
    estimate = mean_good + tuning * (float(arrays.shares @ judged) - mean_judged)
    residual = good - mean_good - tuning * (of_reviewed - mean_judged)
    size = 1 / float(np.sum(shares**2))
    smoothed = (mean_good * size + 1) / (size + 2)
    total = float(shares @ (good - mean_good) ** 2)
    left = float(shares @ residual**2) / total if total > 0 else 1.0
    within = max(
        float(shares @ residual**2) / max(size - 2, 1),
        smoothed * (1 - smoothed) * left / (size + 1),
    )
    cluster = arrays.cluster[arrays.of_review]
    effect = clustered_effect(shares * residual, cluster)
    unseen = float(shares @ (1 - arrays.review_chance))
    freedom = max(1, len(np.unique(cluster)) - 2)
    scaled = tuning * judged
    between = between_variance(arrays, scaled, float(arrays.shares @ scaled))
    inside = min(1.0, max(0.0, estimate))
    interval = effective_interval(
        inside,
        smoothed=min(max(smoothed + inside - mean_good, 1e-6), 1 - 1e-6),
        variance=within * unseen * effect + between,
        freedom=freedom,
        confidence=confidence,
    )
    return TunedRate(
        estimate=inside,
        low=interval.low,
        high=interval.high,
        confidence=confidence,
        reviews=arrays.reviews,
        judged=arrays.judged,
        effective=interval.effective,
        worth_in_reviews=arrays.reviews / max(left * size / max(size - 2, 1), 1 / size)
        if tuning > 0
        else float(arrays.reviews),
        design_effect=effect,
        freedom=freedom,
        tuning=tuning,
    )


def _probability_of_good(arrays: UnitArrays, shares: FloatArray) -> FloatArray:
    """Return 1 - p_fail of each judged row; where there is none, the mean of the reviewed rows."""
    judged = 1 - arrays.p_fail
    known = ~np.isnan(judged[arrays.of_review])
    mean = float(shares[known] @ judged[arrays.of_review][known] / float(shares[known].sum()))
    return np.where(np.isnan(judged), mean, judged)
