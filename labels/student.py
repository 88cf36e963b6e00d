"""Quantiles of Student's t, from the incomplete beta function."""

import math
from functools import lru_cache

from labels.binomial_interval import beta_quantile


@lru_cache(maxsize=4_096)
def t_quantile(share: float, freedom: float) -> float:
    """Return the quantile of Student's t, for a share above one half.

    By its relation to the beta distribution: t² / (f + t²) has Beta(1/2, f/2) (DLMF 8.17).
    """
    x = beta_quantile(2 * share - 1, 0.5, freedom / 2)
    return math.sqrt(freedom * x / (1 - x))
