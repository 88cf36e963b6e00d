"""A metric's estimate, and the rows that it is measured on.

Each metric has an interval, a denominator (the rows that it is measured on, and those left out, by
the reason), weights and segments. A metric that could not be measured has no estimate.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from judges.judged_row import JudgedRow
from judges.outcome import JudgeAnswer
from judges.ways import WayKind
from judges.weighted_rate import rate_of_values
from judges.weighted_rows import WeightedRow, row_arrays

MetricLayer: TypeAlias = Literal["retrieval", "generation", "agent", "operations"]
MetricUnit: TypeAlias = Literal["share", "rank", "ms", "usd"]
LeftOut: TypeAlias = Literal[
    "not_applicable", "unknown", "error", "not_judged", "no_expectation", "not_recorded"
]
"""Why a row is not in a metric. ``no_expectation``: nobody said what would have been right.
``not_recorded``: the trace does not hold what is measured."""


class MetricIdentity(NamedTuple):
    """The name of a metric, its layer, and the unit of its estimate."""

    name: str
    layer: MetricLayer
    unit: MetricUnit = "share"


class MetricVerdict(NamedTuple):
    """A judge's answer on a row, and by what it was given; None for one of another evaluation."""

    answer: JudgeAnswer
    way: WayKind | None


@dataclass(frozen=True, slots=True, repr=False)
class MeasuredRow:
    """A row with all that metrics measure it by.

    ``verdicts`` are by the name of the judge. ``relevant`` says for each document id whether it
    helps to answer (None: nobody judged). ``retried``: whether the user repeated the call soon
    after.
    """

    row: JudgedRow
    weighted: WeightedRow = field(default_factory=WeightedRow)
    verdicts: Mapping[str, MetricVerdict] = field(default_factory=dict)
    relevant: Mapping[str, bool] | None = None
    retried: bool | None = None


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """A metric with its interval.

    ``estimate``, ``low`` and ``high`` are None where it could not be measured; ``high`` alone is
    None where the rows set no upper limit. ``rows`` were measured and stand for ``weight``,
    ``left_out`` were not. ``effective`` is the size of a simple sample of the same precision.
    ``least`` to ``most`` is the range that unknown and error allow, for metrics of a judge.
    """

    name: str
    layer: MetricLayer
    unit: MetricUnit
    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    rows: int
    weight: float
    left_out: Mapping[LeftOut, int]
    effective: float
    least: float | None = None
    most: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "name": self.name,
            "layer": self.layer,
            "unit": self.unit,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "rows": self.rows,
            "weight": self.weight,
            "left_out": dict(self.left_out),
            "effective": self.effective,
            "least": self.least,
            "most": self.most,
        }


MetricOf: TypeAlias = Callable[[Sequence[MeasuredRow]], MetricEstimate]


def by_segment(
    rows: Iterable[MeasuredRow], segment: str, metric: MetricOf
) -> Mapping[str, MetricEstimate]:
    """Return a metric for each value of a segment, by value in order.

    ``segment`` is the name of a segment, or ``app``, ``prompt_version`` or ``model_version``; rows
    without a value are under the empty text.
    """
    parts: dict[str, list[MeasuredRow]] = {}
    for row in rows:
        parts.setdefault(segment_value(row, segment), []).append(row)
    return {value: metric(parts[value]) for value in sorted(parts)}


def segment_value(row: MeasuredRow, segment: str) -> str:
    """Return the value of a row's segment, app or version; the empty text without one."""
    trace = row.row.trace
    match segment:
        case "app":
            return trace.app
        case "prompt_version":
            return trace.prompt_version or ""
        case "model_version":
            return trace.model_version or ""
        case _:
            return trace.segments.get(segment, "")


def mean_metric(
    identity: MetricIdentity,
    rows: Iterable[MeasuredRow],
    value_of: Callable[[MeasuredRow], float | LeftOut],
    *,
    confidence: float = 0.95,
) -> MetricEstimate:
    """Return the weighted mean (Hájek 1971) of a value from 0 to 1, or why a row has none.

    The interval is that of `judges.weighted_rate`.
    """
    measured: list[WeightedRow] = []
    values: list[float] = []
    left_out: Counter[LeftOut] = Counter()
    for row in rows:
        value = value_of(row)
        if isinstance(value, str):
            left_out[value] += 1
        else:
            measured.append(row.weighted)
            values.append(value)
    return share_metric(identity, measured, values, left_out, confidence=confidence)


def share_metric(
    identity: MetricIdentity,
    measured: Sequence[WeightedRow],
    values: Sequence[float],
    left_out: Mapping[LeftOut, int],
    *,
    confidence: float,
) -> MetricEstimate:
    """Return the weighted mean of values from 0 to 1; ``left_out`` counts what has none."""
    arrays = row_arrays(measured)
    rate = rate_of_values(arrays, np.array(values, float), confidence)
    return MetricEstimate(
        *identity,
        estimate=rate.estimate,
        low=rate.low,
        high=rate.high,
        confidence=confidence,
        rows=len(values),
        weight=float(arrays.weight.sum()),
        left_out=dict(sorted(left_out.items())),
        effective=rate.effective,
    )
