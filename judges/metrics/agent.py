"""Agent: tasks done, tool calls that were right, calls that users repeated."""

from collections import Counter
from collections.abc import Iterable

from judges.checks.tool_calls import canonical_arguments, is_failed_call, is_valid_call
from judges.checks.tool_schemas import tool_schemas
from judges.judged_row import ExpectedCall
from judges.metrics.judged import judged_metric
from judges.metrics.metric import (
    LeftOut,
    MeasuredRow,
    MetricEstimate,
    MetricIdentity,
    mean_metric,
    share_metric,
)
from judges.weighted_rows import WeightedRow
from schemas.records import ToolCall


def task_success(
    rows: Iterable[MeasuredRow], *, judge: str = "task_success", confidence: float = 0.95
) -> MetricEstimate:
    """Return the share of rows whose task was done, by a judge: pass ÷ (pass + fail)."""
    return judged_metric(
        MetricIdentity("task_success", "agent"),
        rows,
        judge,
        never_by=("check",),
        confidence=confidence,
    )


def tool_call_accuracy(rows: Iterable[MeasuredRow], *, confidence: float = 0.95) -> MetricEstimate:
    """Return the share of tool calls that were right.

    Where a row says which calls were expected: those made with the name and the arguments of an
    expected one, over the larger number of both (matching of syntax trees, Patil et al., Berkeley
    Function Calling Leaderboard, ICML 2025). Elsewhere: calls whose arguments are valid and that
    did not fail, over all. Each call counts with its row's weight, and the calls of a row are a
    cluster; rows without calls are not applicable.
    """
    weights: list[WeightedRow] = []
    values: list[float] = []
    left_out: Counter[LeftOut] = Counter()
    for at, row in enumerate(rows):
        right = _calls_right(row)
        if not right:
            left_out["not_applicable"] += 1
        cluster = row.weighted.cluster or f"row {at}"
        weights += [WeightedRow(row.weighted.probability, cluster)] * len(right)
        values += right
    return share_metric(
        MetricIdentity("tool_call_accuracy", "agent"),
        weights,
        values,
        left_out,
        confidence=confidence,
    )


def retry_rate(rows: Iterable[MeasuredRow], *, confidence: float = 0.95) -> MetricEstimate:
    """Return the share of calls that their user repeated soon after (the signal ``retry``)."""

    def value_of(row: MeasuredRow) -> float | LeftOut:
        return "not_recorded" if row.retried is None else float(row.retried)

    return mean_metric(MetricIdentity("retry_rate", "agent"), rows, value_of, confidence=confidence)


def _calls_right(row: MeasuredRow) -> list[float]:
    """Return for each call, made or expected, whether it was right."""
    made = row.row.tool_calls
    if row.row.expected_calls is None:
        schemas = tool_schemas(row.row.trace.attributes)
        return [float(is_valid_call(call, schemas) and not is_failed_call(call)) for call in made]
    expected = Counter(_key(call) for call in row.row.expected_calls)
    matched = sum((expected & Counter(_key(call) for call in made)).values())
    most = max(expected.total(), len(made))
    return [1.0] * matched + [0.0] * (most - matched)


def _key(call: ToolCall | ExpectedCall) -> tuple[str, str]:
    return call.name, canonical_arguments(call.arguments)
