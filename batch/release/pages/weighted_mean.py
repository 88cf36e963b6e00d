"""Estimates about production from a release: weighted means with intervals.

The weights of the rows drawn from a stratum add up to its traces. The share of traces with a
property is the weighted mean (Hájek). Its variance is that of a stratified sample, by the
jackknife. The factor 1 - inclusion probability corrects for finite strata: one trace is picked from
each cluster, so even a stratum whose clusters were all drawn has some variance. Strata of one row
are pooled. Student's t has as many degrees of freedom as rows less strata.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labels.student import t_quantile


class WeightedValue(NamedTuple):
    """A drawn row: its stratum, its weight, its inclusion probability, its value."""

    stratum: str
    weight: float
    probability: float
    value: float


@dataclass(frozen=True, slots=True)
class WeightedMean:
    """A weighted mean over the traces of the window, with its interval."""

    mean: float
    low: float
    high: float
    rows: int


def estimate_mean(rows: Sequence[WeightedValue], confidence: float = 0.95) -> WeightedMean | None:
    """Estimate the mean of a value over all traces that could be drawn; None without rows.

    The interval is clipped to [0, 1] if all values are within it.
    """
    total = sum(row.weight for row in rows)
    if not rows or total <= 0:
        return None
    mean = sum(row.weight * row.value for row in rows) / total
    groups = _groups(rows)
    variance = sum(_variance(group) for group in groups) / total**2
    freedom = max(1, len(rows) - len(groups))
    half = t_quantile((1 + confidence) / 2, freedom) * math.sqrt(variance)
    low, high = mean - half, mean + half
    if all(0 <= row.value <= 1 for row in rows):
        low, high = max(0.0, low), min(1.0, high)
    return WeightedMean(mean, low, high, len(rows))


def _groups(rows: Iterable[WeightedValue]) -> list[list[WeightedValue]]:
    """Return rows by stratum; single rows of strata that were not drawn completely are pooled."""
    strata: dict[str, list[WeightedValue]] = {}
    for row in rows:
        strata.setdefault(row.stratum, []).append(row)
    single = [g[0] for g in strata.values() if len(g) == 1 and g[0].probability < 1]
    return [g for g in strata.values() if not (len(g) == 1 and g[0].probability < 1)] + (
        [single] if single else []
    )


def _variance(rows: Sequence[WeightedValue]) -> float:
    """Return the variance of the weighted total of rows whose weights add up to a known number.

    Each residual is divided by one less the row's share of the weight: the jackknife of a ratio
    (Särndal et al. 1992, ch. 11), which a few large weights do not make overconfident.
    """
    n, total = len(rows), sum(row.weight for row in rows)
    if n < 2:
        return 0.0
    mean = sum(row.weight * row.value for row in rows) / total
    return sum(
        (1 - row.probability) * (row.weight * (row.value - mean) / (1 - row.weight / total)) ** 2
        for row in rows
    ) * ((n - 1) / n)
