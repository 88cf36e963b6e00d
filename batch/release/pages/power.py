"""Computes the smallest difference between two systems that a release can detect.

Both systems answer all rows. The exact McNemar test compares the direction of the rows on which
they differ (``flips``) with a fair coin (McNemar, Psychometrika 12, 1947). The power is exact too:
a sum over the number of flips and of those in one direction. Above 3,000 rows the normal limit is
used.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Final

import numpy as np

FLIPS: Final = (0.10, 0.20, 0.30)
ALPHA: Final = 0.05
POWER: Final = 0.80
_EXACT_UP_TO: Final = 3_000
_HALVINGS: Final = 14
_TAIL: Final = 1e-9


def detectable_difference(rows: int, flips: float) -> float | None:
    """Return the smallest difference of two pass rates detected with power 0.8, two-sided 5 %.

    ``flips`` is the share of rows on which the two systems differ. None if even the largest
    possible difference (``flips``) would be missed too often.
    """
    power = _exact(rows, flips) if rows <= _EXACT_UP_TO else _normal(rows, flips)
    low, high = 0.0, flips
    if rows < 1 or power(high) < POWER:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < POWER else (low, middle)
    return high


def _exact(rows: int, flips: float) -> Callable[[float], float]:
    sizes = np.arange(rows + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, rows + 1)))])
    chances = _binomial(logs, rows, flips)
    likely = [int(n) for n in sizes[chances > _TAIL]]
    limits = {n: _critical(logs, n) for n in likely}

    def power(difference: float) -> float:
        one_way = (1 + difference / flips) / 2
        return float(
            sum(chances[n] * _rejects(logs, n, limits[n], one_way) for n in likely if n > 0)
        )

    return power


def _binomial(logs: Any, n: int, p: float) -> Any:
    k = np.arange(n + 1)
    if p >= 1:
        return (k == n).astype(float)
    return np.exp(logs[n] - logs[k] - logs[n - k] + k * math.log(p) + (n - k) * math.log1p(-p))


def _critical(logs: Any, n: int) -> int:
    """Return the largest k for which k or fewer of n is significant; -1 if none is."""
    below = np.cumsum(_binomial(logs, n, 0.5))
    return int(np.searchsorted(below, ALPHA / 2, side="right")) - 1


def _rejects(logs: Any, n: int, limit: int, one_way: float) -> float:
    if limit < 0:
        return 0.0
    chances = _binomial(logs, n, one_way)
    return float(chances[: limit + 1].sum() + chances[n - limit :].sum())


def _normal(rows: int, flips: float) -> Callable[[float], float]:
    unit = NormalDist()
    needed = unit.inv_cdf(1 - ALPHA / 2)

    def power(difference: float) -> float:
        spread = math.sqrt(max(flips - difference**2, 1e-12))
        return unit.cdf((difference * math.sqrt(rows) - needed * math.sqrt(flips)) / spread)

    return power
