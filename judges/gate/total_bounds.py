"""Bounds of a ratio of totals, such as cost per success, and of a mean, robust to clusters.

A ratio r is tested by the mean over clusters of ``numerator - r * denominator`` (Fieller, Journal
of the Royal Statistical Society B 16, 1954): the score is Student's t of the clusters' totals.
Costs are skewed, so that t alone ships too often. Hall's transformation (Journal of the Royal
Statistical Society B 54, 1992) removes the skewness, as far as a sample shows it:

    g(t) = t + k t² / (3 sqrt(n)) + k² t³ / (27 n) + k / (6 sqrt(n)),    k the skewness

A sample shows too little of the skewness of a heavy tail. So a bound holds only if it holds with
no, with all, and with one and a half times the skewness that was seen.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from judges.gate.bounds import PLANNED_POWER, crossing
from judges.weighted_rows import FloatArray, RowArrays, cluster_sums
from labels.student import t_quantile

_FOUND: Final = NormalDist().inv_cdf(PLANNED_POWER)
_SKEWNESS_TIMES: Final = (0.0, 1.0, 1.5)
_FEWEST: Final = 3
"""With fewer clusters no bound is set."""


@dataclass(frozen=True, slots=True)
class TotalBounds:
    """A ratio of totals. The arrays are the clusters' totals; ``least`` is its least value.

    A mean is the ratio of the total of values and of weights. ``hidden`` is variance that the
    clusters do not show, of the total of the numerator and of that of the denominator. ``freedom``
    is that of the variance, where it is not one less than the clusters. ``drift`` is by what part
    of itself the standard error grows for each unit that the estimate grows.
    """

    numerator: FloatArray
    denominator: FloatArray
    rows: int
    least: float = -math.inf
    hidden: tuple[float, float] = (0.0, 0.0)
    freedom: int | None = None
    drift: float = 0.0

    @property
    def estimate(self) -> float:
        """Return the ratio."""
        return float(self.numerator.sum() / self.denominator.sum())

    def lower(self, level: float) -> float:
        """Return the bound that the truth is above, but for ``level``."""
        if len(self.numerator) < _FEWEST:
            return self.least
        limit = self._limit(level)
        return crossing(lambda ratio: self._least_score(ratio) <= limit, self.estimate, self.least)

    def upper(self, level: float) -> float:
        """Return the bound that the truth is below, but for ``level``."""
        if len(self.numerator) < _FEWEST:
            return math.inf
        limit = self._limit(level)
        return crossing(lambda ratio: self._most_score(ratio) >= -limit, self.estimate, math.inf)

    def is_above(self, bar: float, level: float) -> bool:
        """Return whether the lower bound reaches a bar."""
        if bar <= self.least or len(self.numerator) < _FEWEST:
            return bar <= self.least
        return bar < self.estimate and self._least_score(bar) >= self._limit(level)

    def is_below(self, bar: float, level: float) -> bool:
        """Return whether the upper bound reaches a bar."""
        if len(self.numerator) < _FEWEST:
            return False
        return bar > self.estimate and self._most_score(bar) <= -self._limit(level)

    def margin_above(self, bar: float, level: float, growth: float = 1.0) -> float:  # noqa: ARG002
        """Return how far above any bar the truth must be; see `judges.gate.bounds`."""
        return self._margin(level, growth, 1)

    def margin_below(self, bar: float, level: float, growth: float = 1.0) -> float:  # noqa: ARG002
        """Return how far below any bar the truth must be; see `judges.gate.bounds`."""
        return self._margin(level, growth, -1)

    def _margin(self, level: float, growth: float, side: int) -> float:
        """Return the margin by the normal limit, with the spread that the clusters have."""
        count = len(self.numerator)
        if count < _FEWEST:
            return math.inf
        size = count * growth
        limit = self._limit(level, growth)
        deviations = self._deviations(self.estimate)
        spread = self._spread(deviations, self.estimate)
        skewness = _skewness(deviations) * side

        def is_missed(score: float) -> bool:
            return (
                min(_untwisted(score, times * skewness, size) for times in _SKEWNESS_TIMES) < limit
            )

        needed = crossing(is_missed, 0.0, math.inf)
        error = spread / abs(float(self.denominator.mean()))
        margin = (needed + _FOUND) * error / math.sqrt(size)
        left = 1 - side * margin * self.drift
        return margin / left if left > 0 else math.inf

    def _limit(self, level: float, growth: float = 1.0) -> float:
        freedom = len(self.numerator) * growth - 1
        if self.freedom is not None:
            freedom = min(freedom, self.freedom * growth)
        return t_quantile(1 - level, max(1.0, freedom))

    def _deviations(self, ratio: float) -> FloatArray:
        return self.numerator - ratio * self.denominator

    def _spread(self, deviations: FloatArray, ratio: float) -> float:
        """Return the standard deviation of a cluster's total, with its part of what is hidden."""
        hidden = self.hidden[0] + ratio**2 * self.hidden[1]
        return math.sqrt(float(deviations.var(ddof=1)) + hidden / len(deviations))

    def _least_score(self, ratio: float) -> float:
        return min(self._scores(ratio))

    def _most_score(self, ratio: float) -> float:
        return max(self._scores(ratio))

    def _scores(self, ratio: float) -> list[float]:
        deviations = self._deviations(ratio)
        count, spread = len(deviations), self._spread(deviations, ratio)
        mean = float(deviations.mean())
        if spread <= 0:
            return [0.0 if mean == 0 else math.copysign(math.inf, mean)]
        score, skewness = mean / spread * math.sqrt(count), _skewness(deviations)
        return [_untwisted(score, times * skewness, count) for times in _SKEWNESS_TIMES]


def ratio_bounds(
    rows: RowArrays, numerator: FloatArray, denominator: FloatArray
) -> TotalBounds | None:
    """Return the ratio of the weighted totals of two values that are not negative.

    None where the denominator is zero in all rows.
    """
    if not len(numerator) or float(denominator.sum()) <= 0:
        return None
    over, under = (
        cluster_sums(rows.weight * values, rows.cluster) for values in (numerator, denominator)
    )
    return TotalBounds(over, under, len(numerator), least=0.0)


def mean_bounds(rows: RowArrays, values: FloatArray) -> TotalBounds | None:
    """Return the weighted mean of values; None without rows."""
    if not len(values):
        return None
    weights = cluster_sums(rows.weight, rows.cluster)
    return TotalBounds(cluster_sums(rows.weight * values, rows.cluster), weights, len(values))


def _skewness(values: FloatArray) -> float:
    """Return the skewness, corrected for the size of the sample as if it were normal."""
    count, spread = len(values), float(values.std())
    if spread <= 0:
        return 0.0
    cubes = float(np.mean((values - values.mean()) ** 3)) / spread**3
    return cubes * math.sqrt(count * (count - 1)) / (count - 2)


def _untwisted(score: float, skewness: float, count: float) -> float:
    """Return Hall's transformation of a score."""
    root = math.sqrt(count)
    return (
        score
        + skewness * score**2 / (3 * root)
        + skewness**2 * score**3 / (27 * count)
        + skewness / (6 * root)
    )
