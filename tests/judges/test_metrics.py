"""Metrics of answers by layer: by hand where they can be, and against known truths."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.judged_row import ExpectedCall
from judges.metrics.agent import retry_rate, task_success, tool_call_accuracy
from judges.metrics.generation import (
    citation_accuracy,
    citation_existence,
    faithfulness,
    relevance,
)
from judges.metrics.judged import WrongWayError
from judges.metrics.metric import MeasuredRow, MetricVerdict, by_segment
from judges.metrics.operations import (
    cost_per_success,
    error_rate,
    latency_quantile,
    quantile_limits,
    ratio_of_totals,
)
from judges.metrics.retrieval import (
    average_precision,
    context_precision,
    hit_rate,
    mean_reciprocal_rank,
)
from judges.outcome import JudgeAnswer, JudgeOutcome, judge_error
from judges.ways import WayKind
from judges.weighted_rows import WeightedRow, row_arrays
from tests.judges.kit import call, row


def measured(weight: float = 1.0, cluster: str | None = None, **fields: Any) -> MeasuredRow:
    """Return a row to measure; ``weight`` is how many rows it stands for."""
    return MeasuredRow(row(**fields), WeightedRow(1 / weight, cluster))


def expecting(expected: Sequence[ExpectedCall], *made: Any) -> MeasuredRow:
    """Return a row that made calls, and says which would have been right."""
    held = row(tool_calls=list(made))
    return MeasuredRow(replace(held, expected_calls=tuple(expected)))


def said(outcome: JudgeOutcome, way: WayKind = "chat") -> MetricVerdict:
    """Return a verdict of a judge."""
    answer = judge_error("timeout") if outcome == "error" else JudgeAnswer(outcome)
    return MetricVerdict(answer, way)


def with_verdicts(weight: float = 1.0, **verdicts: JudgeOutcome) -> MeasuredRow:
    """Return a row with verdicts by the name of the judge; those of ``citations`` by a check."""
    return MeasuredRow(
        row(),
        WeightedRow(1 / weight),
        {
            name: said(outcome, "check" if name == "citations" else "chat")
            for name, outcome in verdicts.items()
        },
    )


def retrieved(*ids: str, expected: Sequence[str] | None, weight: float = 1.0) -> MeasuredRow:
    """Return a row with documents in order of rank, and those that were right."""
    documents = [{"document_id": id_, "text": id_} for id_ in ids]
    return measured(weight, retrieved=documents, expected_documents=expected)


def test_retrieval_by_hand() -> None:
    """A hit counts wherever it is; its rank counts for MRR; rows that do not say are left out."""
    rows = [
        retrieved("a", "b", "c", expected=["c"]),
        retrieved("a", "b", expected=["a", "z"], weight=2),
        retrieved("a", expected=["z"]),
        retrieved(expected=["z"]),
        retrieved("a", expected=None),
        retrieved("a", expected=[]),
    ]
    hits, first = hit_rate(rows), hit_rate(rows, depth=2)
    assert hits.estimate == pytest.approx(3 / 5)
    assert first.estimate == pytest.approx(2 / 5)
    assert (first.name, hits.rows, hits.left_out) == ("hit_rate_at_2", 4, {"no_expectation": 2})
    assert mean_reciprocal_rank(rows).estimate == pytest.approx((1 / 3 + 2 * 1) / 5)
    assert mean_reciprocal_rank([]).estimate is None


def test_context_precision_by_hand() -> None:
    """Relevant documents before others: average precision, of each row."""
    assert average_precision([True, False, True]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([False, False]) == 0
    base = retrieved("a", "b", "c", expected=None)
    rows = [
        MeasuredRow(base.row, relevant={"a": True, "b": False, "c": True}),
        MeasuredRow(base.row, relevant={"a": False, "b": False, "c": False}),
        MeasuredRow(base.row, relevant={"a": True}),
        MeasuredRow(base.row),
        MeasuredRow(retrieved(expected=None).row, relevant={}),
    ]
    found = context_precision(rows)
    assert found.estimate == pytest.approx((1 + 2 / 3) / 4)
    assert found.left_out == {"not_applicable": 1, "not_judged": 2}


def test_generation_takes_the_judge_at_its_word_and_shows_the_range() -> None:
    """Pass ÷ (pass + fail), weighted; what unknown and error allow; nothing is dropped silently."""
    rows = [
        with_verdicts(2, faithfulness="pass"),
        with_verdicts(faithfulness="fail"),
        with_verdicts(faithfulness="unknown"),
        with_verdicts(faithfulness="error"),
        with_verdicts(faithfulness="not_applicable"),
        with_verdicts(relevance="pass"),
    ]
    found = faithfulness(rows)
    assert found.estimate == pytest.approx(2 / 3)
    assert [found.least, found.most] == pytest.approx([2 / 5, 4 / 5])
    assert found.rows == 2
    assert found.left_out == {"error": 1, "not_applicable": 1, "not_judged": 1, "unknown": 1}
    assert found.rows + sum(found.left_out.values()) == len(rows)
    assert relevance(rows).estimate == 1
    nothing = faithfulness(rows[4:])
    assert (nothing.estimate, nothing.low, nothing.least) == (None, None, None)


@pytest.mark.parametrize("way", ["check", "local"])
def test_a_check_never_measures_faithfulness(way: WayKind) -> None:
    """That its citations exist makes no answer faithful."""
    rows = [MeasuredRow(row(), verdicts={"faithfulness": said("pass", way)})]
    with pytest.raises(WrongWayError, match=f"faithfulness is never measured by a {way}"):
        faithfulness(rows)
    with pytest.raises(WrongWayError, match="never measured by a check"):
        task_success([MeasuredRow(row(), verdicts={"task_success": said("pass", "check")})])


@pytest.mark.parametrize(
    ("exist", "supported", "expected"),
    [
        ("pass", "pass", 1),
        ("pass", "fail", 0),
        ("fail", "pass", 0),
        ("fail", "error", 0),
        ("pass", "unknown", "unknown"),
        ("pass", "error", "error"),
        ("not_applicable", "fail", "not_applicable"),
        ("pass", None, "not_judged"),
        ("fail", None, "not_judged"),
        (None, "fail", "not_judged"),
        (None, "pass", "not_judged"),
    ],
)
def test_citations_exist_and_support(exist: Any, supported: Any, expected: Any) -> None:
    """Both must hold; one that does not exist fails whatever the judge says."""
    verdicts = {"citations": exist, "citations_supported": supported}
    rows = [with_verdicts(**{name: outcome for name, outcome in verdicts.items() if outcome})]
    found = citation_accuracy(rows)
    if isinstance(expected, str):
        assert (found.estimate, found.left_out) == (None, {expected: 1})
    else:
        assert found.estimate == expected


def test_existence_of_citations_is_the_check_alone() -> None:
    """It has a name of its own."""
    found = citation_existence([with_verdicts(citations="pass"), with_verdicts(citations="fail")])
    assert (found.name, found.estimate) == ("citation_existence", 0.5)


def test_tool_calls_are_compared_with_the_expected_ones() -> None:
    """By name and arguments, in whatever order; what is missing and what is too much is wrong."""
    made = [call("get", {"a": 1, "b": 2}), call("put", {"a": 1}, "c2")]
    expected = [
        ExpectedCall("put", '{"a": 1}'),
        ExpectedCall("get", '{"b": 2, "a": 1}'),
    ]
    whole = expecting(expected, *made)
    short = expecting(expected, made[0])
    more = expecting(expected, *made, call("x", {}, "c3"))
    assert tool_call_accuracy([whole]).estimate == 1
    assert tool_call_accuracy([short]).estimate == pytest.approx(1 / 2)
    assert tool_call_accuracy([more]).estimate == pytest.approx(2 / 3)
    none = expecting(())
    found = tool_call_accuracy([whole, short, more, none])
    assert (found.rows, found.left_out) == (7, {"not_applicable": 1})
    assert found.estimate == pytest.approx(5 / 7)


def test_tool_calls_without_expectation_are_valid_and_did_not_fail() -> None:
    """The calls of a row are a cluster: they are not as many observations."""
    rows = [
        measured(
            tool_calls=[call("a", {}, "1"), call("a", "{", "2"), call("a", {}, "3", error="x")]
        ),
        measured(tool_calls=[call("a", {}, "1")], weight=2),
        measured(),
    ]
    found = tool_call_accuracy(rows)
    assert found.estimate == pytest.approx((1 + 2) / (3 + 2))
    assert found.left_out == {"not_applicable": 1}
    many = [
        measured(tool_calls=[call("a", {} if n % 2 else "{", str(k)) for k in range(5)])
        for n in range(40)
    ]
    alone = [measured(tool_calls=[call("a", {} if n % 2 else "{")]) for n in range(40)]
    one, five = tool_call_accuracy(alone), tool_call_accuracy(many)
    assert one.low is not None
    assert five.low is not None
    assert five.low == pytest.approx(one.low, abs=0.03)


def test_retries_count_where_they_are_recorded() -> None:
    """A row of which nobody knows is left out."""
    rows = [MeasuredRow(row(), retried=retried) for retried in (True, False, False, None)]
    found = retry_rate(rows)
    assert found.estimate == pytest.approx(1 / 3)
    assert found.left_out == {"not_recorded": 1}


def test_errors_are_weighted() -> None:
    """Failed calls that were drawn more often count less."""
    rows = [measured(status="error"), measured(9)]
    found = error_rate(rows)
    assert found.estimate == pytest.approx(0.1)
    assert found.to_json()["layer"] == "operations"


def test_a_quantile_of_latency_has_limits_by_order_statistics() -> None:
    """By hand: of 100 values the 95th; its limits are the 90th and the last (binomial tables)."""
    rows = [measured(latency_ms=float(n)) for n in range(1, 101)]
    found = latency_quantile(rows)
    assert (found.name, found.estimate) == ("latency_p95_ms", 95)
    assert (found.low, found.high) == (90, 100)
    few = latency_quantile(rows[:60])
    assert few.high is None
    assert few.low is not None
    assert latency_quantile([measured()]).to_json()["left_out"] == {"not_recorded": 1}
    assert latency_quantile([*rows, measured(latency_ms=None)]).rows == 100


def test_quantiles_cover_the_truth() -> None:
    """The 95 % quantile of an exponential latency, weighted and not."""
    truth, covered, weighted = -math.log(0.05), 0, 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        values = rng.exponential(1, 400)
        rows = [measured(latency_ms=float(value)) for value in values]
        found = latency_quantile(rows)
        assert found.low is not None
        covered += found.low <= truth and (found.high is None or truth <= found.high)
        kept = rng.random(400) < np.where(values > 1, 0.9, 0.3)
        rows = [
            measured(1 / (0.9 if value > 1 else 0.3), latency_ms=float(value))
            for value in values[kept]
        ]
        found = latency_quantile(rows)
        assert found.low is not None
        weighted += found.low <= truth and (found.high is None or truth <= found.high)
    assert covered >= 0.9 * 80
    assert weighted >= 0.9 * 80


@settings(max_examples=60)
@given(st.floats(0.05, 0.99), st.integers(1, 2_000))
def test_limits_of_quantiles_are_around_it(share: float, rows: int) -> None:
    """More rows bring them nearer, and never to the other side."""
    low, high = quantile_limits(share, rows, 0.95)
    assert 0 <= low <= share + 1 / rows
    assert high >= share
    assert quantile_limits(share, 4 * rows, 0.95)[1] - share <= high - share + 1 / rows


def test_what_failed_is_paid_for_too() -> None:
    """The cost of all over the number of tasks that were done; undecided ones are left out."""
    rows = [
        MeasuredRow(row(cost_usd=0.04), verdicts={"task_success": said("pass")}),
        MeasuredRow(row(cost_usd=0.02), WeightedRow(0.5), {"task_success": said("fail")}),
        MeasuredRow(row(cost_usd=5.0), verdicts={"task_success": said("unknown")}),
        MeasuredRow(row(), verdicts={"task_success": said("pass")}),
        MeasuredRow(row(cost_usd=1.0)),
    ]
    found = cost_per_success(rows)
    assert found.estimate == pytest.approx(0.08)
    assert found.left_out == {"not_judged": 1, "not_recorded": 1, "unknown": 1}
    never = [MeasuredRow(row(cost_usd=1.0), verdicts={"task_success": said("fail")})]
    assert cost_per_success(never).estimate is None


def test_the_ratio_of_totals_covers_the_truth() -> None:
    """Fieller's interval, with clusters; open above where success may be zero."""
    covered, opened = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        done = np.repeat(rng.random(60) < 0.4, 2).astype(float)
        cost = rng.gamma(2, 0.02, 120) + 0.02 * done
        rows = row_arrays(WeightedRow(0.5, f"c{at // 2}") for at in range(120))
        ratio = ratio_of_totals(rows, cost, done)
        assert ratio.low is not None
        assert ratio.high is not None
        covered += ratio.low <= (0.04 + 0.4 * 0.02) / 0.4 <= ratio.high
        rare = ratio_of_totals(rows, cost, (rng.random(120) < 0.02).astype(float))
        opened += rare.high is None
    assert covered >= 0.91 * 200
    assert opened > 20
    alone = ratio_of_totals(row_arrays([WeightedRow()]), np.array([1.0]), np.array([1.0]))
    assert alone == (1.0, 0.0, None)


def test_each_metric_has_segments() -> None:
    """By a segment, the app or a version; rows without a value are under the empty text."""
    rows = [
        measured(segments={"plan": "pro"}, status="error"),
        measured(segments={"plan": "pro"}),
        measured(app="other", prompt_version="7"),
    ]
    by_plan = by_segment(rows, "plan", error_rate)
    assert {plan: each.estimate for plan, each in by_plan.items()} == {"": 0, "pro": 0.5}
    assert list(by_segment(rows, "app", error_rate)) == ["other", "support"]
    assert list(by_segment(rows, "prompt_version", error_rate)) == ["", "7"]
    assert list(by_segment(rows, "model_version", error_rate)) == [""]


def test_means_of_values_between_0_and_1_cover_the_truth() -> None:
    """Reciprocal ranks are neither 0 nor 1 alone, and rows of a conversation belong together."""
    covered = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        rows = []
        for conversation in range(40):
            hard = rng.random() < 0.5
            for _ in range(3):
                rank = int(rng.integers(1, 4)) if rng.random() < (0.3 if hard else 0.9) else 4
                ids = [f"d{n}" for n in range(1, 4)]
                expected = [f"d{rank}"] if rank < 4 else ["z"]
                base = retrieved(*ids, expected=expected).row
                rows.append(MeasuredRow(base, WeightedRow(1.0, f"c{conversation}")))
        found = mean_reciprocal_rank(rows)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.6 * (1 + 1 / 2 + 1 / 3) / 3 <= found.high
    assert covered >= 0.9 * 120
