"""Agreement beyond chance that does not collapse where nearly all answers are good.

Cohen's kappa and Krippendorff's alpha are near 0 when 95 % of answers pass, however well a judge
agrees. Gwet's AC1 is not (K. Gwet, British Journal of Mathematical and Statistical Psychology 61,
2008):

    AC1 = (p_a - p_e) / (1 - p_e),    p_e = sum_k π_k (1 - π_k) / (K - 1)

p_a is the share of rows on which both agree, π_k the mean share of category k of both, K the number
of categories: pass and fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from judges.agreement.jackknife import jackknife
from judges.agreement.rows import AgreementRow
from judges.weighted_rows import FloatArray, MaskArray, row_arrays

_LIMITS = (-1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ChanceCorrected:
    """Agreement beyond chance, with its interval; 1 is full agreement, 0 is agreement by chance."""

    estimate: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


def gwet_ac1(
    pairs: Sequence[tuple[str, str]], weights: Sequence[float] | None = None
) -> float | None:
    """Return Gwet's AC1 of two raters, each pair holding both labels of one row.

    Categories are those that occur, and at least two. None without pairs.
    """
    if not pairs:
        return None
    weight = np.ones(len(pairs)) if weights is None else np.array(weights, float)
    # The same sum above and below, so that full agreement is 1 to the last bit.
    total = float(weight @ np.ones(len(pairs)))
    observed = float(weight @ np.array([first == second for first, second in pairs], float)) / total
    categories = sorted({label for pair in pairs for label in pair})
    expected = 0.0
    for label in categories:
        share = float(weight @ np.array([(a == label) + (b == label) for a, b in pairs])) / (
            2 * total
        )
        expected += share * (1 - share)
    expected /= max(1, len(categories) - 1)
    return (observed - expected) / (1 - expected)


def gwet_ac1_of_rows(
    rows: Sequence[AgreementRow], *, confidence: float = 0.95
) -> ChanceCorrected | None:
    """Return AC1 of judge and reviewers on decided rows, weighted, with a jackknife interval."""
    arrays = row_arrays(row.weighted for row in rows)
    passed = np.array([row.outcome == "pass" for row in rows], float)
    good = np.array([row.reviewed_good for row in rows], float)

    def statistic(kept: MaskArray) -> float | None:
        return _binary_ac1(passed[kept], good[kept], arrays.weight[kept])

    found = jackknife(arrays.cluster, statistic, confidence=confidence, limits=_LIMITS)
    return None if found is None else ChanceCorrected(found.estimate, found.low, found.high)


def _binary_ac1(first: FloatArray, second: FloatArray, weight: FloatArray) -> float | None:
    total = float(weight.sum())
    if total <= 0:
        return None
    observed = float(weight @ (first == second)) / total
    share = float(weight @ (first + second)) / (2 * total)
    expected = 2 * share * (1 - share)
    return (observed - expected) / (1 - expected)
