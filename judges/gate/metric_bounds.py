"""Bounds of a metric of the candidate, and of its difference from the baseline on the same rows."""

import math
from typing import Final

import numpy as np

from judges.gate.bounds import OneSidedBounds
from judges.gate.metric_names import GateMetric
from judges.gate.paired_bounds import paired_bounds
from judges.gate.quantile_bounds import QuantileBounds
from judges.gate.readings import MetricReadings, SideReadings
from judges.gate.share_bounds import share_bounds
from judges.gate.total_bounds import mean_bounds, ratio_bounds
from judges.weighted_rows import FloatArray, MaskArray, RowArrays

_FEWEST_ROWS: Final = 2
_WINDOW: Final = 1.645
"""The half width, in standard errors of its share, of the window around a quantile that gives the
density there."""


def metric_bounds(
    metric: GateMetric, rows: RowArrays, side: SideReadings, mask: MaskArray
) -> OneSidedBounds | None:
    """Return a metric of one side on the rows of a mask that have it; None with fewer than two."""
    reads = [side[name] for name in metric.reads]
    kept = _measured(reads, mask)
    if int(kept.sum()) < _FEWEST_ROWS:
        return None
    weights, values = rows.subset(kept), [each.values[kept] for each in reads]
    if metric.kind == "cost_ratio":
        return ratio_bounds(weights, values[0], values[1])
    if metric.share is not None:
        return QuantileBounds(values[0], weights, metric.share)
    bounded = bool(np.all((values[0] >= 0) & (values[0] <= 1)))
    return share_bounds(weights, values[0]) if bounded else mean_bounds(weights, values[0])


def difference_bounds(
    metric: GateMetric,
    rows: RowArrays,
    candidate: SideReadings,
    baseline: SideReadings,
    mask: MaskArray,
) -> OneSidedBounds | None:
    """Return candidate less baseline, on the rows of a mask that both sides have.

    None with fewer than two such rows. Differences of ratios and quantiles are made linear (Särndal
    et al., Model Assisted Survey Sampling, 1992, 5.5 and 5.11).
    """
    names = metric.reads
    kept = _measured([side[name] for side in (candidate, baseline) for name in names], mask)
    if int(kept.sum()) < _FEWEST_ROWS:
        return None
    weights = rows.subset(kept)
    new, old = ([side[name].values[kept] for name in names] for side in (candidate, baseline))
    if metric.kind == "mean":
        verdicts = np.all(np.isin(new[0], (0.0, 1.0)) & np.isin(old[0], (0.0, 1.0)))
        difference = new[0] - old[0]
        return paired_bounds(weights, difference) if verdicts else mean_bounds(weights, difference)
    sides = []
    for values in (new, old):
        if metric.share is None:
            linear = _linear_ratio(weights.weight, *values)
        else:
            linear = _linear_quantile(weights, values[0], metric.share)
        if linear is None:
            return None
        sides.append(linear)
    return mean_bounds(weights, sides[0] - sides[1])


def _measured(readings: list[MetricReadings], mask: MaskArray) -> MaskArray:
    kept = mask.copy()
    for each in readings:
        kept &= each.has_value
    return kept


def _linear_ratio(weight: FloatArray, over: FloatArray, under: FloatArray) -> FloatArray | None:
    """Return values whose weighted mean is the ratio, and varies as it does."""
    total = float(weight @ under)
    if total <= 0:
        return None
    ratio = float(weight @ over) / total
    linear: FloatArray = ratio + (over - ratio * under) * float(weight.sum()) / total
    return linear


def _linear_quantile(rows: RowArrays, values: FloatArray, share: float) -> FloatArray | None:
    """Return values whose weighted mean is about the quantile, and varies as it does.

    The density comes from the width of a window of shares around the quantile (Francisco and
    Fuller, Annals of Statistics 19, 1991).
    """
    size = float(rows.weight.sum()) ** 2 / float(np.sum(rows.weight**2))
    half = _WINDOW * math.sqrt(share * (1 - share) / size)
    if share + half >= 1 or share - half <= 0:
        return None
    quantile, low, high = (
        QuantileBounds(values, rows, at).estimate for at in (share, share - half, share + half)
    )
    slope = (high - low) / (2 * half)
    below = (values <= quantile).astype(float)
    reached = float(rows.weight @ below) / float(rows.weight.sum())
    linear: FloatArray = quantile + slope * (reached - below)
    return linear
