"""A weighted share of rows, with an interval that clusters widen."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from judges.effective_interval import effective_interval
from judges.weighted_rows import FloatArray, RowArrays, effect_of_squares

_NOTHING: Final = 1e-12
"""A sum of squares that is less, relative to that of the weights, is 0 but for rounding."""


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A weighted share of rows, with its interval; None without rows.

    ``effective`` is the size of a simple sample of the same precision, ``design_effect`` that of
    the clusters.
    """

    estimate: float | None
    low: float | None
    high: float | None
    effective: float
    design_effect: float


@dataclass(frozen=True, slots=True)
class RateMoments:
    """Sums over weighted rows with values x, from which their mean and its interval follow.

    ``weight`` and ``squares`` are the sums of w and of w², each times 1, x and x². ``gram`` has the
    sums over clusters of a², ab and b², where a and b are a cluster's sums of w and of w x. Parts
    that share no cluster add up, so that the rows need not be in memory together.
    """

    rows: int
    clusters: int
    weight: FloatArray
    squares: FloatArray
    gram: FloatArray

    def __add__(self, other: "RateMoments") -> "RateMoments":
        return RateMoments(
            self.rows + other.rows,
            self.clusters + other.clusters,
            self.weight + other.weight,
            self.squares + other.squares,
            self.gram + other.gram,
        )

    def design_effect(self, mean: float) -> float:
        """Return by how much clusters inflate the variance of the mean (`design_effect`)."""
        if self.clusters == self.rows:
            return 1.0
        apart = np.array([mean**2, -2 * mean, 1.0])
        squares, summed = float(self.squares @ apart), float(self.gram @ apart)
        if squares <= _NOTHING * float(self.squares[0]):
            squares = 0.0
        return effect_of_squares(self.rows, self.clusters, squares, summed)


def moments_of(rows: RowArrays, values: FloatArray) -> RateMoments:
    """Return the sums of rows with values."""
    clusters, places = np.unique(rows.cluster, return_inverse=True)
    powers = np.stack([np.ones_like(values), values, values**2])
    whole, part = (
        np.bincount(places, weights=rows.weight * power, minlength=len(clusters))
        for power in powers[:2]
    )
    return RateMoments(
        len(values),
        len(clusters),
        powers @ rows.weight,
        powers @ rows.weight**2,
        np.array([whole @ whole, whole @ part, part @ part]),
    )


class EffectiveRate(NamedTuple):
    """A weighted share of rows, with the variance that its interval rests on.

    ``smoothed`` and ``freedom`` are as in `judges.effective_interval`.
    """

    mean: float
    smoothed: float
    variance: float
    freedom: int | None
    design_effect: float


def effective_rate(moments: RateMoments) -> EffectiveRate:
    """Return the weighted mean of values from 0 to 1, of at least one row, with its variance.

    With n the rows (Kish's effective size (sum w)² / sum w², over the design effect of clusters)
    and m = (n mean + 1) / (n + 2), the variance is

        (n · mean of (x - m)² + m² + (1 - m)²) / ((n + 2) (n + 1))

    that of the values and of one 0 and one 1 more: m (1 - m) / (n + 1) if all are 0 or 1. Where
    rows are in clusters, t has as many degrees of freedom as there are clusters, less one.
    """
    total = float(moments.weight[0])
    mean = min(1.0, float(moments.weight[1]) / total)
    effect = moments.design_effect(mean)
    size = total**2 / float(moments.squares[0]) / effect
    smoothed = (mean * size + 1) / (size + 2)
    spread = float(moments.weight @ np.array([smoothed**2, -2 * smoothed, 1.0])) / total
    squares = size * max(0.0, spread) + smoothed**2 + (1 - smoothed) ** 2
    freedom = moments.clusters - 1 if moments.clusters < moments.rows else None
    return EffectiveRate(mean, smoothed, squares / ((size + 2) * (size + 1)), freedom, effect)


def rate_of_values(rows: RowArrays, values: FloatArray, confidence: float = 0.95) -> RateEstimate:
    """Return the weighted mean of values from 0 to 1, as `rate_of_moments`."""
    return rate_of_moments(moments_of(rows, values), confidence)


def rate_of_moments(moments: RateMoments, confidence: float = 0.95) -> RateEstimate:
    """Return the weighted mean of values from 0 to 1, with the interval of Korn and Graubard.

    Survey Methodology 24, 1998, with the variance of `effective_rate`.
    """
    if not moments.rows:
        return RateEstimate(None, None, None, 0.0, 1.0)
    rate = effective_rate(moments)
    interval = effective_interval(
        rate.mean,
        smoothed=rate.smoothed,
        variance=rate.variance,
        freedom=rate.freedom,
        confidence=confidence,
    )
    return RateEstimate(
        rate.mean, interval.low, interval.high, interval.effective, rate.design_effect
    )
