"""The metrics that a gate may require: how each is measured, and which direction is good."""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

MetricKind: TypeAlias = Literal["mean", "quantile", "cost_ratio"]
"""``mean``: of what each row says. ``quantile``: of a number of each row. ``cost_ratio``: the cost
of all rows over the tasks that were done."""

COST_PER_SUCCESS: Final = "cost_per_success"
COST: Final = "cost_usd"
LATENCY: Final = "latency_ms"
SUCCESS: Final = "task_success"
HIT_RATE: Final = "hit_rate"
RECIPROCAL_RANK: Final = "mrr"
ERROR_RATE: Final = "error_rate"
RECORDED: Final = (COST, LATENCY, HIT_RATE, RECIPROCAL_RANK, ERROR_RATE)
"""What the candidate's own lines say, without a judge."""

_LAYERS: Final = ("retrieval.", "generation.", "agent.", "operations.")
_LATENCY: Final = re.compile(r"latency_p([1-9][0-9]?)_ms")
_LESS_IS_GOOD: Final = frozenset({COST, LATENCY, ERROR_RATE, COST_PER_SUCCESS, "retry_rate"})


@dataclass(frozen=True, slots=True)
class GateMetric:
    """A metric by its name, without its layer.

    ``reads`` are the names of what it reads of each row; ``share`` is that of a quantile.
    """

    name: str
    kind: MetricKind
    reads: tuple[str, ...]
    share: float | None = None

    @property
    def judged(self) -> frozenset[str]:
        """Return what it reads that only judges say."""
        return frozenset(self.reads).difference(RECORDED)

    @property
    def verdict(self) -> str:
        """Return the name of what it reads last: the verdict on each row, where a judge says it."""
        return self.reads[-1]

    @property
    def less_is_good(self) -> bool:
        """Return whether a lower value is the better one, unless a requirement says otherwise."""
        return self.kind == "quantile" or self.name in _LESS_IS_GOOD


def gate_metric(text: str) -> GateMetric:
    """Return the metric of a name, such as ``faithfulness`` or ``retrieval.hit_rate``."""
    name = base_name(text)
    if name == COST_PER_SUCCESS:
        return GateMetric(name, "cost_ratio", (COST, SUCCESS))
    if match := _LATENCY.fullmatch(name):
        return GateMetric(name, "quantile", (LATENCY,), int(match[1]) / 100)
    return GateMetric(name, "mean", (name,))


def base_name(text: str) -> str:
    """Return the name of a metric without its layer."""
    layer = next((layer for layer in _LAYERS if text.startswith(layer)), "")
    return text.removeprefix(layer)
