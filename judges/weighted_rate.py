"""A weighted share of rows, with an interval that clusters widen."""

from dataclasses import dataclass

import numpy as np

from judges.effective_interval import effective_interval
from judges.weighted_rows import FloatArray, RowArrays, design_effect


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


def rate_of_values(rows: RowArrays, values: FloatArray, confidence: float = 0.95) -> RateEstimate:
    """Return the weighted mean of values of 0 and 1, with the interval of Korn and Graubard.

    Survey Methodology 24, 1998. The effective size is Kish's, (sum w)² / sum w², over the design
    effect of clusters; Student's t has as many degrees of freedom as clusters, less one.
    """
    if not len(values):
        return RateEstimate(None, None, None, 0.0, 1.0)
    total = float(rows.weight.sum())
    share = min(1.0, float(rows.weight @ values) / total)
    effect = design_effect(rows, values - share)
    size = total**2 / float(np.sum(rows.weight**2)) / effect
    smoothed = (share * size + 1) / (size + 2)
    interval = effective_interval(
        share,
        smoothed=smoothed,
        variance=smoothed * (1 - smoothed) / (size + 1),
        freedom=len(np.unique(rows.cluster)) - 1,
        confidence=confidence,
    )
    return RateEstimate(share, interval.low, interval.high, size, effect)
