"""Operations: how long answers take, how often calls fail, and what a task that was done costs."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from judges.metrics.judged import verdict_value
from judges.metrics.metric import (
    LeftOut,
    MeasuredRow,
    MetricEstimate,
    MetricIdentity,
    mean_metric,
)
from judges.weighted_rows import (
    FloatArray,
    IndexArray,
    RowArrays,
    cluster_sums,
    design_effect,
    row_arrays,
)
from labels.binomial_interval import beta_cdf
from labels.student import t_quantile


def error_rate(rows: Iterable[MeasuredRow], *, confidence: float = 0.95) -> MetricEstimate:
    """Return the share of calls that failed (status error), by Hájek's weighted mean."""

    def value_of(row: MeasuredRow) -> float | LeftOut:
        return float(row.row.trace.status == "error")

    return mean_metric(
        MetricIdentity("error_rate", "operations"), rows, value_of, confidence=confidence
    )


def latency_quantile(
    rows: Iterable[MeasuredRow], *, share: float = 0.95, confidence: float = 0.95
) -> MetricEstimate:
    """Return a quantile of latency in milliseconds, with an interval by order statistics.

    The shares between which the quantile's own share lies are inverted by the weighted distribution
    function (Woodruff, JASA 47, 1952), with binomial limits on the effective size (David and
    Nagaraja, Order Statistics, 2003, 7.1). ``high`` is None where the rows are too few to set an
    upper limit: for the 95 % quantile with 95 % confidence fewer than 72. Failed calls count, as
    far as they have a latency.
    """
    held = list(rows)
    timed = [row for row in held if row.row.trace.latency_ms is not None]
    arrays = row_arrays(row.weighted for row in timed)
    values = np.array([row.row.trace.latency_ms for row in timed], float)
    low = high = estimate = None
    effective = 0.0
    if len(values):
        estimate = _quantile(values, arrays.weight, share)
        above_it = (values > estimate).astype(float)
        effective = float(np.sum(arrays.weight)) ** 2 / float(np.sum(arrays.weight**2))
        effective /= design_effect(arrays, above_it - (1 - share))
        below, above = quantile_limits(share, effective, confidence)
        low = _quantile(values, arrays.weight, below) if below > 0 else 0.0
        high = _quantile(values, arrays.weight, above) if above <= 1 else None
    return MetricEstimate(
        name=f"latency_p{share * 100:g}_ms",
        layer="operations",
        unit="ms",
        estimate=estimate,
        low=low,
        high=high,
        confidence=confidence,
        rows=len(values),
        weight=float(arrays.weight.sum()),
        left_out={"not_recorded": len(held) - len(timed)} if len(timed) < len(held) else {},
        effective=effective,
    )


def cost_per_success(
    rows: Iterable[MeasuredRow], *, judge: str = "task_success", confidence: float = 0.95
) -> MetricEstimate:
    """Return what a task that was done costs, in US dollars: the cost of all over those done.

    Sum of weight times cost over sum of weight times success, on rows with a cost and a verdict of
    ``judge`` that decides: what failed is paid for too. The interval is Fieller's (Journal of the
    Royal Statistical Society B 16, 1954), with variances of cluster totals; it has no upper end
    (None) where success is so rare that it may be zero.
    """
    costs: list[float] = []
    successes: list[float] = []
    measured: list[MeasuredRow] = []
    left_out: Counter[LeftOut] = Counter()
    for row in rows:
        success = verdict_value(row.verdicts.get(judge))
        cost = row.row.trace.cost_usd
        if cost is None:
            left_out["not_recorded"] += 1
        elif isinstance(success, str):
            left_out[success] += 1
        else:
            measured.append(row)
            costs.append(cost)
            successes.append(success)
    arrays = row_arrays(row.weighted for row in measured)
    ratio = ratio_of_totals(arrays, np.array(costs, float), np.array(successes, float), confidence)
    return MetricEstimate(
        name="cost_per_success",
        layer="operations",
        unit="usd",
        estimate=ratio.estimate,
        low=ratio.low,
        high=ratio.high,
        confidence=confidence,
        rows=len(measured),
        weight=float(arrays.weight.sum()),
        left_out=dict(sorted(left_out.items())),
        effective=float(len(np.unique(arrays.cluster))),
    )


class RatioInterval(NamedTuple):
    """A ratio of totals that are not negative, with its interval; None where it has no end."""

    estimate: float | None
    low: float | None
    high: float | None


def ratio_of_totals(
    rows: RowArrays, numerator: FloatArray, denominator: FloatArray, confidence: float = 0.95
) -> RatioInterval:
    """Return the ratio of the weighted totals of two values, with Fieller's interval.

    The limits are where (A - r B)² = t² Var(A - r B), with variances of cluster totals and t of as
    many degrees of freedom as clusters, less one. Without a positive denominator there is none.
    """
    a, b = (cluster_sums(rows.weight * values, rows.cluster) for values in (numerator, denominator))
    total_a, total_b, count = float(a.sum()), float(b.sum()), len(a)
    if total_b <= 0:
        return RatioInterval(None, None, None)
    ratio = total_a / total_b
    if count < 2:
        return RatioInterval(ratio, 0.0, None)
    scale = count / (count - 1)
    var_a, var_b = (scale * float(np.sum((x - x.mean()) ** 2)) for x in (a, b))
    shared = scale * float(np.sum((a - a.mean()) * (b - b.mean())))
    t2 = t_quantile((1 + confidence) / 2, count - 1) ** 2
    square, middle, rest = (
        total_b**2 - t2 * var_b,
        total_a * total_b - t2 * shared,
        total_a**2 - t2 * var_a,
    )
    spread = math.sqrt(max(0.0, middle**2 - square * rest))
    if square <= 0:
        return RatioInterval(ratio, max(0.0, rest / (middle + spread)) if middle > 0 else 0.0, None)
    return RatioInterval(ratio, max(0.0, (middle - spread) / square), (middle + spread) / square)


def quantile_limits(share: float, rows: float, confidence: float) -> tuple[float, float]:
    """Return the shares of order statistics that the quantile of ``share`` lies between.

    The lower is 0 where no row is surely below it, the upper above 1 where none is surely above.
    """
    n, tail = max(1, math.floor(rows)), (1 - confidence) / 2

    def at_most(k: int) -> float:
        """Return the probability that k rows or fewer are below the quantile."""
        return 1.0 if k >= n else beta_cdf(1 - share, n - k, k + 1)

    lower = _last(n, lambda k: at_most(k - 1) <= tail)
    upper = _last(n, lambda k: at_most(k - 1) < 1 - tail) + 1
    return lower / n, upper / n


def _last(most: int, holds: Callable[[int], bool]) -> int:
    """Return the largest k from 1 to ``most`` for which it holds, 0 if none; it holds up to one."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _quantile(values: FloatArray, weight: FloatArray, share: float) -> float:
    """Return the least value at or below which a share of the weight lies."""
    order: IndexArray = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / float(weight.sum())
    at = int(np.searchsorted(reached, share - 1e-12, side="left"))
    return float(values[order][min(at, len(values) - 1)])
