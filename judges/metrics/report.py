"""All metrics of a set of rows, by layer, each with what it is measured by, or why it is not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from judges.metrics.agent import retry_rate, task_success, tool_call_accuracy
from judges.metrics.generation import (
    citation_accuracy,
    citation_existence,
    faithfulness,
    relevance,
)
from judges.metrics.metric import (
    MeasuredRow,
    MetricEstimate,
    MetricOf,
    by_segment,
    segment_value,
)
from judges.metrics.operations import cost_per_success, error_rate, latency_quantile
from judges.metrics.retrieval import context_precision, hit_rate, mean_reciprocal_rank

FAITHFULNESS: Final = "faithfulness"
RELEVANCE: Final = "relevance"
CITATIONS: Final = "citations"
CITATIONS_SUPPORTED: Final = "citations_supported"
TASK_SUCCESS: Final = "task_success"
JUDGE_ROLES: Final = (FAITHFULNESS, RELEVANCE, CITATIONS_SUPPORTED, TASK_SUCCESS)
"""The names under which metrics look for the verdicts of judges."""

_TRACE_SEGMENTS: Final = ("app", "prompt_version", "model_version")
_DOCUMENTS: Final = "`expected_documents` of the rows"


class _MetricRule(NamedTuple):
    """A metric, and what its rows must have."""

    measure: MetricOf
    by: str


_RULES: Final = (
    _MetricRule(hit_rate, _DOCUMENTS),
    _MetricRule(mean_reciprocal_rank, _DOCUMENTS),
    _MetricRule(
        context_precision, "a check of words, which sees no meaning: question and document texts"
    ),
    _MetricRule(faithfulness, f"verdicts of the judge {FAITHFULNESS}"),
    _MetricRule(relevance, f"verdicts of the judge {RELEVANCE}"),
    _MetricRule(
        citation_accuracy, f"the check {CITATIONS}, and verdicts of the judge {CITATIONS_SUPPORTED}"
    ),
    _MetricRule(citation_existence, f"the check {CITATIONS}"),
    _MetricRule(task_success, f"verdicts of the judge {TASK_SUCCESS}"),
    _MetricRule(tool_call_accuracy, "tool calls: valid arguments, and no error"),
    _MetricRule(retry_rate, "sessions and input tokens of the traces in the lake"),
    _MetricRule(error_rate, "`status` of the traces"),
    _MetricRule(latency_quantile, "`latency_ms` of the traces"),
    _MetricRule(cost_per_success, f"`cost_usd`, and verdicts of the judge {TASK_SUCCESS}"),
)


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """A metric of all rows, what it is measured by, and its values by segment and value."""

    estimate: MetricEstimate
    by: str
    segments: Mapping[str, Mapping[str, MetricEstimate]]

    @property
    def why_not(self) -> str | None:
        """Return why there is no estimate, None where there is one."""
        found = self.estimate
        if found.estimate is not None:
            return None
        if found.rows:
            return "no task was done"
        if not found.left_out:
            return "there are no rows"
        reasons = [f"{name.replace('_', ' ')}: {n:,}" for name, n in found.left_out.items()]
        return f"it needs {self.by} ({', '.join(reasons)})"

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            **self.estimate.to_json(),
            "by": self.by,
            "why_not": self.why_not,
            "segments": {
                name: {value: estimate.to_json() for value, estimate in values.items()}
                for name, values in self.segments.items()
            },
        }


def measure_metrics(
    rows: Sequence[MeasuredRow], segments: Iterable[str] = ()
) -> list[MeasuredMetric]:
    """Return all metrics in the order of their layers, each by these segments too.

    Raises WrongWayError if a judge was answered by a way that cannot know a metric.
    """
    names = list(segments)
    return [
        MeasuredMetric(
            rule.measure(rows),
            rule.by,
            {name: by_segment(rows, name, rule.measure) for name in names},
        )
        for rule in _RULES
    ]


def segments_of(rows: Sequence[MeasuredRow], most_values: int) -> list[str]:
    """Return the segments in which rows differ, in order; none with more values than this."""
    names = {*_TRACE_SEGMENTS, *(name for row in rows for name in row.row.trace.segments)}
    return [
        name
        for name in sorted(names)
        if 1 < len({segment_value(row, name) for row in rows}) <= most_values
    ]
