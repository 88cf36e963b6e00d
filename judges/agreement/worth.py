"""What a judge is worth: how many reviews without it 100 reviews with it replace.

Post-stratified on the verdict, the variance that is left is that within the strata. So n reviews
with the judge are as precise as n / (1 - r²) without it, where r² is the share of the variance of
what reviewers say that lies between the strata (Cochran, Sampling Techniques, 1977, 5A.9; the same
rule of thumb for prediction-powered inference: arXiv 2603.16041).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from judges.agreement.jackknife import jackknife
from judges.agreement.rows import AgreementRow
from judges.correction.strata import merge_strata
from judges.weighted_rows import FloatArray, IndexArray, MaskArray, row_arrays

REVIEWS: Final = 100
_LEAST_LEFT: Final = 0.01


@dataclass(frozen=True, slots=True)
class JudgeWorth:
    """``reviews`` reviews with the judge are worth ``estimate`` without it."""

    estimate: float
    low: float
    high: float
    reviews: int = REVIEWS

    @property
    def sentence(self) -> str:
        """Return the line that people read."""
        return (
            f"{self.reviews} reviews with this judge are worth {self.estimate:.0f} "
            f"({self.low:.0f} to {self.high:.0f})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "reviews": self.reviews,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
        }


def worth_of_rows(rows: Sequence[AgreementRow], *, confidence: float = 0.95) -> JudgeWorth | None:
    """Return the worth of a judge by reviewed rows; None with fewer than three.

    r² is adjusted for the number of strata, and never negative: a useless judge costs nothing. The
    interval is a jackknife over clusters, on the logarithm of 1 - r².
    """
    if len(rows) < 3:
        return None
    outcomes = [row.outcome for row in rows]
    strata = merge_strata({name: outcomes.count(name) for name in set(outcomes)})
    numbers = {name: at for at, names in enumerate(strata) for name in names}
    of_row = np.array([numbers[outcome] for outcome in outcomes], np.int64)
    arrays = row_arrays(row.weighted for row in rows)
    good = np.array([row.reviewed_good for row in rows], float)

    def log_left(kept: MaskArray) -> float | None:
        left = _left_over(of_row[kept], good[kept], arrays.weight[kept])
        return None if left is None else math.log(max(left, _LEAST_LEFT))

    found = jackknife(arrays.cluster, log_left, confidence=confidence)
    if found is None:
        return None
    worth = [REVIEWS * math.exp(-log) for log in (found.estimate, found.high, found.low)]
    most = REVIEWS / _LEAST_LEFT
    estimate, low, high = (min(most, max(float(REVIEWS), value)) for value in worth)
    return JudgeWorth(estimate, low, high)


def _left_over(stratum: IndexArray, good: FloatArray, weight: FloatArray) -> float | None:
    """Return 1 - r², adjusted; None where reviewers never differ."""
    total, rows = float(weight.sum()), len(good)
    mean = float(weight @ good) / total
    squares = float(weight @ (good - mean) ** 2)
    weights = np.bincount(stratum, weights=weight)
    present = weights > 0
    means = np.bincount(stratum, weights=weight * good)[present] / weights[present]
    left = float(np.sum(weights[present] * means * (1 - means)))
    strata = int(present.sum())
    if squares <= 0 or rows <= strata:
        return None
    return left / squares * (rows - 1) / (rows - strata)
