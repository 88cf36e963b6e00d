"""Bounds of the difference of two pass rates on the same rows, robust to clusters.

The score interval of Tango (Statistics in Medicine 17, 1998): the difference is compared with one
that is tested under the variance that the tested difference implies, so that a sample in which no
row changed proves little. Clusters divide the number of rows by their design effect (Rao and Scott,
Biometrics 48, 1992; for matched pairs Eliasziw and Donner, Statistics in Medicine 10, 1991), and
Student's t takes the place of the normal distribution.

Where the changes go in one direction the score is skewed. Its limit z is then higher by
k (z² - 1) / (6 sqrt(n)), k the skewness of a row's difference if the tested one is true (Cornish
and Fisher, Revue de l'Institut International de Statistique 5, 1938), and never lower.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from judges.effective_interval import size_factor
from judges.gate.bounds import PLANNED_POWER, crossing
from judges.weighted_rows import FloatArray, RowArrays, cluster_count, clustered_effect

_FOUND: Final = NormalDist().inv_cdf(PLANNED_POWER)


@dataclass(frozen=True, slots=True)
class PairedBounds:
    """The share of rows that only the candidate passes, less that which only the baseline passes.

    ``gained`` and ``lost`` are these shares, ``effective`` is the number of rows over the design
    effect. ``gained_rows`` and ``lost_rows`` are counts; None where rows were drawn unequally, so
    that counts would say nothing of the others.
    """

    gained: float
    lost: float
    rows: int
    effective: float
    freedom: float | None
    gained_rows: int | None
    lost_rows: int | None

    @property
    def estimate(self) -> float:
        """Return the difference."""
        return self.gained - self.lost

    def lower(self, level: float) -> float:
        """Return the bound that the truth is above, but for ``level``."""
        size = self.effective * size_factor(self.freedom, level)

        def is_possible(difference: float) -> bool:
            tested = _TestedDifference.of(self.gained, self.lost, difference)
            return tested.score(self.estimate, size) <= tested.limit(level, size)

        if is_possible(-1.0):
            return -1.0
        return crossing(is_possible, self.estimate, -1.0)

    def upper(self, level: float) -> float:
        """Return the bound that the truth is below, but for ``level``."""
        return -self.turned.lower(level)

    def is_above(self, bar: float, level: float) -> bool:
        """Return whether the lower bound reaches a bar."""
        size = self.effective * size_factor(self.freedom, level)
        tested = _TestedDifference.of(self.gained, self.lost, bar)
        return bar <= -1 or tested.score(self.estimate, size) >= tested.limit(level, size)

    def is_below(self, bar: float, level: float) -> bool:
        """Return whether the upper bound reaches a bar."""
        return self.turned.is_above(-bar, level)

    def margin_above(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far above a bar the truth must be; see `judges.gate.bounds`.

        By the normal limit, with the share of changed rows that was seen (and one more, in a sample
        with two more rows), or more where the difference itself needs more.
        """
        size = self.effective * growth
        freedom = None if self.freedom is None else self.freedom * growth
        factor = size_factor(freedom, level)
        seen = (self.gained + self.lost) * self.effective
        changed = (seen + 1) / (self.effective + 2)

        def is_missed(truth: float) -> bool:
            share = min(1.0, max(changed, abs(truth)))
            gained, lost = (share + truth) / 2, (share - truth) / 2
            tested = _TestedDifference.of(gained, lost, bar)
            over = tested.score(truth, size * factor) - tested.limit(level, size * factor)
            spread = share - truth**2
            return over * math.sqrt(tested.spread) < _FOUND * math.sqrt(spread * factor)

        if bar >= 1 or is_missed(1.0):
            return math.inf
        return crossing(is_missed, bar, 1.0) - bar

    def margin_below(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far below a bar the truth must be; see `judges.gate.bounds`."""
        return self.turned.margin_above(-bar, level, growth)

    @property
    def turned(self) -> "PairedBounds":
        """Return the difference in the other direction."""
        return PairedBounds(
            self.lost,
            self.gained,
            self.rows,
            self.effective,
            self.freedom,
            self.lost_rows,
            self.gained_rows,
        )


def paired_bounds(rows: RowArrays, differences: FloatArray) -> PairedBounds | None:
    """Return the weighted mean of differences that are -1, 0 or 1; None without rows."""
    if not len(differences):
        return None
    total = float(rows.weight.sum())
    gained, lost = differences > 0, differences < 0
    shares = [min(1.0, float(rows.weight @ mask.astype(float)) / total) for mask in (gained, lost)]
    deviations = differences - (shares[0] - shares[1])
    size = total**2 / float(np.sum(rows.weight**2))
    clusters = cluster_count(rows.cluster)
    return PairedBounds(
        shares[0],
        shares[1],
        len(differences),
        size / clustered_effect(rows.weight * deviations, rows.cluster),
        clusters - 1 if clusters < len(differences) else None,
        int(gained.sum()),
        int(lost.sum()),
    )


class _TestedDifference(NamedTuple):
    """A tested difference, with the variance and the skewness of a row's if it is the true one."""

    difference: float
    spread: float
    skewness: float

    @classmethod
    def of(cls, gained: float, lost: float, difference: float) -> "_TestedDifference":
        """Return it, with ``lost`` at its most likely value under it (Tango 1998, equation 8)."""
        b = -gained - lost + (2 - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        root = math.sqrt(max(0.0, b * b - 8 * c))
        # The larger root, without the difference of two near numbers.
        likely = (root - b) / 4 if b <= 0 else -2 * c / (b + root) if b + root > 0 else 0.0
        spread = max(0.0, 2 * likely + difference * (1 - difference))
        if spread <= 0:
            return cls(difference, 0.0, 0.0)
        changed = 2 * likely + difference
        cubes = difference - 3 * difference * changed + 2 * difference**3
        return cls(difference, spread, cubes / spread**1.5)

    def score(self, estimate: float, size: float) -> float:
        """Return Tango's statistic of an estimate on ``size`` rows."""
        distance = estimate - self.difference
        if self.spread <= 0:
            return 0.0 if distance == 0 else math.copysign(math.inf, distance)
        return distance * math.sqrt(size / self.spread)

    def limit(self, level: float, size: float) -> float:
        """Return what the statistic exceeds with a probability of ``level``."""
        limit = NormalDist().inv_cdf(1 - level)
        return limit + max(0.0, self.skewness) * max(0.0, limit**2 - 1) / (6 * math.sqrt(size))
