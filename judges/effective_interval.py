"""An interval around a share whose variance is known: exact for a sample of the same precision."""

import math
from statistics import NormalDist
from typing import NamedTuple

from labels.binomial_interval import clopper_pearson
from labels.student import t_quantile


class EffectiveInterval(NamedTuple):
    """The interval, and the size of a simple sample of the same precision."""

    low: float
    high: float
    effective: float


def effective_interval(
    share: float,
    *,
    smoothed: float,
    variance: float,
    freedom: float | None = None,
    confidence: float = 0.95,
) -> EffectiveInterval:
    """Return the interval of Korn and Graubard (Survey Methodology 24, 1998) around a share.

    It is that of Clopper and Pearson on the effective size s (1 - s) / variance - 1, where s is
    the ``smoothed`` share, (c + 1) / (n + 2) in a simple sample, of which ``variance`` is
    s (1 - s) / (n + 1): the effective size is then n. Where the variance is estimated by more than
    the share itself it has ``freedom`` degrees of freedom, and the size is multiplied by (z / t)².
    A variance of 0 means that nothing was sampled.
    """
    if variance <= 0:
        return EffectiveInterval(share, share, math.inf)
    size = effective_size(smoothed, variance)
    reduced = size * size_factor(freedom, (1 - confidence) / 2)
    low, high = clopper_pearson(share * reduced, reduced, confidence)
    return EffectiveInterval(low, high, size)


def effective_size(smoothed: float, variance: float) -> float:
    """Return the size of a simple sample whose smoothed share has a variance."""
    return max(smoothed * (1 - smoothed) / variance - 1, 1e-6)


def size_factor(freedom: float | None, tail: float) -> float:
    """Return by what an effective size is multiplied: (z / t)², 1 without degrees of freedom.

    ``tail`` is the probability that one side of the interval may miss.
    """
    if freedom is None:
        return 1.0
    t = t_quantile(1 - tail, max(1.0, freedom))
    return (NormalDist().inv_cdf(1 - tail) / t) ** 2
