"""A weighted share of rows, with an interval that clusters widen."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from judges.effective_interval import effective_interval
from judges.weighted_rows import FloatArray, RowArrays, cluster_count, design_effect


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


class EffectiveRate(NamedTuple):
    """A weighted share of rows, with the variance that its interval rests on.

    ``smoothed`` and ``freedom`` are as in `judges.effective_interval`.
    """

    mean: float
    smoothed: float
    variance: float
    freedom: int | None
    design_effect: float


def effective_rate(rows: RowArrays, values: FloatArray) -> EffectiveRate:
    """Return the weighted mean of values from 0 to 1, of at least one row, with its variance.

    With n the rows (Kish's effective size (sum w)² / sum w², over the design effect of clusters)
    and m = (n mean + 1) / (n + 2), the variance is

        (n · mean of (x - m)² + m² + (1 - m)²) / ((n + 2) (n + 1))

    that of the values and of one 0 and one 1 more: m (1 - m) / (n + 1) if all are 0 or 1. Where
    rows are in clusters, t has as many degrees of freedom as there are clusters, less one.
    """
    total = float(rows.weight.sum())
    mean = min(1.0, float(rows.weight @ values) / total)
    effect = design_effect(rows, values - mean)
    size = total**2 / float(np.sum(rows.weight**2)) / effect
    smoothed = (mean * size + 1) / (size + 2)
    spread = float(rows.weight @ (values - smoothed) ** 2) / total
    squares = size * spread + smoothed**2 + (1 - smoothed) ** 2
    clusters = cluster_count(rows.cluster)
    freedom = clusters - 1 if clusters < len(values) else None
    return EffectiveRate(mean, smoothed, squares / ((size + 2) * (size + 1)), freedom, effect)


def rate_of_values(rows: RowArrays, values: FloatArray, confidence: float = 0.95) -> RateEstimate:
    """Return the weighted mean of values from 0 to 1, with the interval of Korn and Graubard.

    Survey Methodology 24, 1998, with the variance of `effective_rate`.
    """
    if not len(values):
        return RateEstimate(None, None, None, 0.0, 1.0)
    rate = effective_rate(rows, values)
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
