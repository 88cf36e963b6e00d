"""Bounds of a quantile, such as the 95 % quantile of latency, robust to clusters.

A quantile is at most x where the share of rows up to x is at least the quantile's share (Woodruff,
JASA 47, 1952), so its bounds are those of shares (`judges.gate.share_bounds`), at each value of x.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from judges.gate.share_bounds import ShareBounds, share_bounds
from judges.weighted_rows import FloatArray, RowArrays

_TAIL: Final = 0.1
"""The share of rows in the tail from which the shape of the distribution is taken."""


@dataclass(frozen=True, slots=True)
class QuantileBounds:
    """The quantile of a ``share`` of positive values."""

    values: FloatArray
    weights: RowArrays
    share: float

    @property
    def rows(self) -> int:
        """Return the number of rows that it is measured on."""
        return len(self.values)

    @property
    def estimate(self) -> float:
        """Return the least value up to which the share of the weight lies."""
        order = np.argsort(self.values, kind="stable")
        reached = np.cumsum(self.weights.weight[order]) / float(self.weights.weight.sum())
        at = int(np.searchsorted(reached, self.share - 1e-12, side="left"))
        return float(self.values[order][min(at, len(order) - 1)])

    def lower(self, level: float) -> float:
        """Return the bound that the truth is not below, but for ``level``."""
        return self._least_value(lambda part: part.upper(level) >= self.share)

    def upper(self, level: float) -> float:
        """Return the bound that the truth is not above, but for ``level``."""
        return self._least_value(lambda part: part.lower(level) >= self.share)

    def is_above(self, bar: float, level: float) -> bool:
        """Return whether the quantile is surely above a bar."""
        return self._up_to(bar).is_below(self.share, level)

    def is_below(self, bar: float, level: float) -> bool:
        """Return whether the upper bound reaches a bar."""
        return self._up_to(bar).is_above(self.share, level)

    def margin_above(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far above a bar the truth must be; see `judges.gate.bounds`."""
        share = self._up_to(bar).margin_below(self.share, level, growth)
        return bar * (self._stretch(-share) - 1) if share < self.share else math.inf

    def margin_below(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far below a bar the truth must be; see `judges.gate.bounds`."""
        share = self._up_to(bar).margin_above(self.share, level, growth)
        return bar * (1 - self._stretch(share)) if share < 1 - self.share else math.inf

    def _stretch(self, share: float) -> float:
        """Return the quantile over the one whose share is larger by ``share``.

        The tail is taken to fall by a power, which Hill's estimator gives (Annals of Statistics 3,
        1975), and to keep its shape when latencies change.
        """
        tail = np.sort(self.values)[-max(2, math.ceil(_TAIL * len(self.values))) :]
        index = float(np.mean(np.log(np.maximum(tail[1:], 1e-9) / max(float(tail[0]), 1e-9))))
        rest = 1 - self.share
        return float(((rest - share) / rest) ** index)

    def _up_to(self, value: float) -> ShareBounds:
        below = (self.values <= value).astype(float)
        found = share_bounds(self.weights, below)
        assert found is not None  # noqa: S101 - there is no quantile without rows
        return found

    def _least_value(self, holds: Callable[[ShareBounds], bool]) -> float:
        ordered = np.unique(self.values)
        low, high = 0, len(ordered)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(self._up_to(ordered[middle])) else (middle + 1, high)
        return float(ordered[low]) if low < len(ordered) else math.inf
