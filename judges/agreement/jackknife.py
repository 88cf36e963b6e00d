"""The jackknife over clusters, for statistics that have no simple variance."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from judges.weighted_rows import FloatArray, IndexArray, MaskArray
from labels.student import t_quantile


class JackknifeInterval(NamedTuple):
    """A statistic of all rows, with its interval."""

    estimate: float
    low: float
    high: float


def jackknife(
    cluster: IndexArray,
    statistic: Callable[[MaskArray], float | None],
    *,
    confidence: float = 0.95,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> JackknifeInterval | None:
    """Return a statistic with its interval, leaving out each cluster once.

    Variance (G - 1) / G · sum (t_g - mean t)² over G clusters, and Student's t with G - 1 degrees
    of freedom (Efron and Stein, Annals of Statistics 9, 1981; by clusters: Wolter, Introduction to
    Variance Estimation, 2007, ch. 4). ``statistic`` takes the mask of rows that count; None where
    it is not defined. None without clusters, or if it is not defined for all rows; with one cluster
    the interval is all that ``limits`` allow.
    """
    numbers = np.unique(cluster)
    if not len(numbers):
        return None
    estimate = statistic(np.ones(len(cluster), np.bool_))
    if estimate is None:
        return None
    values = _left_out(numbers.tolist(), cluster, statistic)
    count = len(values)
    if count < 2:
        return JackknifeInterval(estimate, *limits)
    spread = float(np.sum((values - values.mean()) ** 2)) * (count - 1) / count
    half = t_quantile((1 + confidence) / 2, count - 1) * math.sqrt(spread)
    low, high = limits
    return JackknifeInterval(estimate, max(low, estimate - half), min(high, estimate + half))


def _left_out(
    numbers: Sequence[int], cluster: IndexArray, statistic: Callable[[MaskArray], float | None]
) -> FloatArray:
    values = (statistic(cluster != number) for number in numbers)
    return np.array([value for value in values if value is not None], float)
