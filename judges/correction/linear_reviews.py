"""The number of good answers as a total over judged rows, in which each row has its part.

The post-stratified number of good answers is a total of

    l_i = w_i y_k + (T_k / V_k) v_i (y_i - y_k) sqrt(n_k / (n_k - 1))

over the judged rows i, with w_i the weight of a row in stratum k, T_k the sum of these, v_i that of
its review (0 without one), V_k the sum of these, and y_k the weighted mean of the reviews y_i. The
second part adds up to nothing. The total varies as the sum of independent clusters of l_i does
(linearisation: Särndal et al., Model Assisted Survey Sampling, 1992, 9.7 for two phases). So a
ratio of totals can be made of it, and rows that cost more when they fail are counted as such.

Strata in which reviewers say the same of all show no variance. ``hidden`` is what they may have:
that of `judges.correction.stratified_reviews`, above what they show.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from judges.correction.strata import OUTCOME_ORDER
from judges.correction.stratified_reviews import in_strata
from judges.correction.units import UnitArrays
from judges.weighted_rows import FloatArray

_FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class LinearGood:
    """The parts of the rows in the number of good answers, by row.

    ``hidden`` is variance of the total that the parts do not show. ``freedom`` is that of its
    variance.
    """

    parts: FloatArray
    hidden: float
    freedom: int


def linear_good(arrays: UnitArrays) -> LinearGood | None:
    """Return the number of good answers as a total; None with fewer than two reviews."""
    if arrays.reviews < _FEWEST:
        return None
    reviews = in_strata(arrays, OUTCOME_ORDER)
    rates, sizes = reviews.stratum_means(arrays.good), reviews.sizes
    total = float(arrays.weight.sum())
    less = sizes / np.maximum(sizes - 1, 1)
    parts = arrays.weight * rates[reviews.of_unit]
    parts[arrays.of_review] += (
        total * reviews.deviations(arrays.good) * np.sqrt(less)[reviews.of_review]
    )
    smooth = (rates * sizes + 1) / (sizes + 2)
    least = smooth * (1 - smooth) / (sizes + 1)
    shown = rates * (1 - rates) / sizes * less
    scale = (total * reviews.shares) ** 2 * reviews.design_effect(arrays.good)
    return LinearGood(
        parts,
        hidden=float(scale @ np.maximum(least - shown, 0.0)),
        freedom=reviews.freedom,
    )
