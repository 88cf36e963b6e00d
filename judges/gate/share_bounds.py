"""Bounds of a share of rows, exact for a sample of the same effective size.

Korn and Graubard, Survey Methodology 24, 1998: the limits of Clopper and Pearson on the effective
size, which weights and clusters reduce, and (z / t)² of it where rows are in clusters. They are
score limits: the variance is that of the share that is tested, so that they hold near 0 and 1 too.
"""

import math
from dataclasses import dataclass

from judges.effective_interval import effective_size, size_factor
from judges.gate.bounds import PLANNED_POWER
from judges.weighted_rate import effective_rate, moments_of
from judges.weighted_rows import FloatArray, RowArrays
from labels.binomial_interval import beta_cdf, beta_quantile

_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class ShareBounds:
    """A share with its effective size, and the degrees of freedom of that (None: it is known)."""

    estimate: float
    rows: int
    effective: float
    freedom: float | None

    def lower(self, level: float) -> float:
        """Return the bound that the truth is above, but for ``level``."""
        size = self.effective * size_factor(self.freedom, level)
        yes = self.estimate * size
        return 0.0 if yes <= 0 else beta_quantile(level, yes, size - yes + 1)

    def upper(self, level: float) -> float:
        """Return the bound that the truth is below, but for ``level``."""
        return 1 - self.turned.lower(level)

    def is_above(self, bar: float, level: float) -> bool:
        """Return whether the lower bound reaches a bar."""
        size = self.effective * size_factor(self.freedom, level)
        yes = self.estimate * size
        return bar <= 0 or (yes > 0 and bar < 1 and beta_cdf(bar, yes, size - yes + 1) <= level)

    def is_below(self, bar: float, level: float) -> bool:
        """Return whether the upper bound reaches a bar."""
        return self.turned.is_above(1 - bar, level)

    def margin_above(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far above a bar the truth must be; see `judges.gate.bounds`.

        The least share whose bound reaches the bar is reached in turn with a probability of
        `PLANNED_POWER`, by the binomial distribution on the effective size.
        """
        size = self.effective * growth
        freedom = None if self.freedom is None else self.freedom * growth
        factor = size_factor(freedom, level)
        needed = _least_clearing(bar, level, size * factor)
        if needed is None:
            return math.inf
        yes = needed / factor
        if freedom is None:
            yes = min(size, math.ceil(yes - 1e-9))
        return beta_quantile(PLANNED_POWER, yes, size - yes + 1) - bar

    def margin_below(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far below a bar the truth must be; see `judges.gate.bounds`."""
        return self.turned.margin_above(1 - bar, level, growth)

    @property
    def turned(self) -> "ShareBounds":
        """Return the share of the other rows."""
        return ShareBounds(1 - self.estimate, self.rows, self.effective, self.freedom)


def share_bounds(rows: RowArrays, values: FloatArray) -> ShareBounds | None:
    """Return the weighted mean of values from 0 to 1 with its bounds; None without rows."""
    if not len(values):
        return None
    rate = effective_rate(moments_of(rows, values))
    size = effective_size(rate.smoothed, rate.variance)
    return ShareBounds(rate.mean, len(values), size, rate.freedom)


def _least_clearing(bar: float, level: float, size: float) -> float | None:
    """Return the least number of successes whose lower bound reaches a bar; None if none does."""
    if bar >= 1 or beta_cdf(bar, size, 1) > level:
        return None
    low, high = 0.0, size
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reaches = middle > 0 and beta_cdf(bar, middle, size - middle + 1) <= level
        low, high = (low, middle) if reaches else (middle, high)
    return high
