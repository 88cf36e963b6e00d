"""What a report says beside the decision: rows that changed, failure modes, and judges."""

from typing import Any

import numpy as np
import pytest

from batch.gate.changed_answers import (
    AnsweredRows,
    ReleasedRow,
    changed_answers,
    count_changes,
    largest_losses,
)
from batch.gate.failure_modes import measure_failure_modes
from batch.gate.gate_run import KeptReadings
from batch.gate.judge_cards import judge_cards
from batch.gate.kept_answers import KeptAnswer
from batch.gate.rows_on_page import MOST_FLIPS, failure_blocks, flip_blocks
from batch.gate.side_readings import GateRow
from batch.release.pages.markup import Text, render_html, render_markdown
from judges.gate.definition import parse_gate
from judges.gate.readings import GateReview, GateRows, MetricReadings, RowReading
from judges.weighted_rows import RowArrays

DEFINITION = parse_gate(
    "gate: g\nrelease: support@1\nrequire: {good: {at_least: .5}, error_rate: {at_most: .1}, "
    "mrr: {at_least: .5}, latency_p95_ms: {at_most: 900}}\n",
    "g",
)
PASS, FAIL, ERROR = (RowReading(state) for state in ("pass", "fail", "error"))


def value(number: float) -> RowReading:
    """Return a row's value."""
    return RowReading("value", number)


READINGS: KeptReadings = {
    ("baseline", "good"): {"a": PASS, "b": FAIL, "c": PASS, "d": PASS, "gone": PASS},
    ("candidate", "good"): {"a": FAIL, "b": PASS, "c": ERROR, "d": PASS, "gone": FAIL},
    ("baseline", "mrr"): {"a": value(1.0), "b": value(0.5)},
    ("candidate", "mrr"): {"a": value(0.75), "b": value(0.5)},
    ("baseline", "error_rate"): {"a": value(0.0), "b": value(1.0)},
    ("candidate", "error_rate"): {"a": value(1.0), "b": value(0.0)},
    ("baseline", "latency_ms"): {"a": value(800.0)},
    ("candidate", "latency_ms"): {"a": value(9_000.0)},
    ("candidate", "good reviewed"): {"a": PASS},
    ("baseline", "good reviewed"): {"a": FAIL},
}
ANSWERED = AnsweredRows(
    {mark: ReleasedRow(f"row-{mark}", f"Question {mark}?") for mark in "abcd"},
    {"baseline": {"a": KeptAnswer("Old.")}, "candidate": {"a": KeptAnswer("New.")}},
)


def test_the_largest_losses_come_first_and_each_metric_has_its_direction() -> None:
    """A fail and an error are losses, a better rank is a gain; what has no value comes last."""
    changed = changed_answers(DEFINITION, READINGS, ANSWERED)
    assert len(changed) == 7
    losses = largest_losses(changed)
    assert [(each.metric, each.row.trace_id, each.loss) for each in losses] == [
        ("error_rate", "row-a", 1.0),
        ("good", "row-a", 1.0),
        ("mrr", "row-a", 0.25),
        ("error_rate", "row-b", -1.0),
        ("good", "row-b", -1.0),
        ("good", "row-c", None),
    ]
    assert count_changes(losses) == (3, 2)
    assert losses[1].to_json()["baseline_response"] == "Old."
    assert losses[4].to_json()["candidate_response"] is None
    assert (ANSWERED.missing(READINGS), changed[-1].candidate) == (1, 0.75)


def test_a_page_has_some_rows_and_says_how_many_more_there_are() -> None:
    """Those with the largest losses; the same text in HTML and in Markdown."""
    marks = [f"m{number:03}" for number in range(MOST_FLIPS + 5)]
    readings: KeptReadings = {
        ("baseline", "good"): dict.fromkeys(marks, PASS),
        ("candidate", "good"): dict.fromkeys(marks, FAIL),
    }
    answered = AnsweredRows({mark: ReleasedRow(mark, "<b>`Why`?</b>") for mark in marks}, {})
    blocks = flip_blocks(changed_answers(DEFINITION, readings, answered))
    assert blocks[-1] == Text("5 more are in the file that --changed writes.", note=True)
    page, text = render_html("t", blocks), render_markdown(blocks)
    assert page.count("&lt;b&gt;`Why`?&lt;/b&gt;") == MOST_FLIPS
    assert text.count(r"\<b\>\`Why\`?\</b\>") == MOST_FLIPS


def test_without_a_baseline_the_page_has_what_failed() -> None:
    """What reviewers say goes before the judge, so row a is none; rows that are erased are not."""
    readings: KeptReadings = {
        ("candidate", "good"): {"a": FAIL, "b": FAIL, "c": PASS, "d": ERROR, "gone": FAIL},
        ("candidate", "good reviewed"): {"a": PASS, "c": FAIL},
        ("candidate", "mrr"): {"a": value(0.0)},
    }
    text = render_markdown(failure_blocks(readings, ANSWERED))
    assert "2 answers failed" in text
    words = ["by reviewers", "row-c", "by the judge", "row-b"]
    assert sorted(words, key=text.index) == words
    assert "row-a" not in text
    many = {f"m{number:03}": FAIL for number in range(MOST_FLIPS + 5)}
    rows = AnsweredRows({mark: ReleasedRow(mark, None) for mark in many}, {})
    blocks = failure_blocks({("candidate", "good"): many}, rows)
    assert blocks[-1] == Text("5 more failed.", note=True)
    assert failure_blocks({("candidate", "good"): {"a": PASS}}, ANSWERED) == []


ROWS = 40


def read_rows(reviews: dict[str, list[GateReview]] | None = None) -> GateRows:
    """Return rows of which every fourth fails, and every tenth is unknown."""
    readings = MetricReadings.of(
        RowReading("unknown") if at % 10 == 9 else FAIL if at % 4 == 0 else PASS
        for at in range(ROWS)
    )
    return GateRows(
        weights=RowArrays(np.ones(ROWS), np.arange(ROWS)),
        candidate={"good": readings},
        baseline={},
        segments={},
        judges={},
        reviews=reviews or {},
    )


def test_failure_modes_are_shares_of_the_rows_with_a_verdict() -> None:
    """The most frequent first; a fail without a mode is counted, an unknown row is not."""
    rows = [GateRow(f"t{at}", f"m{at}", f"c{at}", 1.0, {}) for at in range(ROWS)]
    modes = {f"t{at}": "made_up" if at % 8 else "off_topic" for at in range(4, ROWS, 4)}
    found = measure_failure_modes(rows, read_rows(), {"candidate": {"good": modes}})
    assert [(each["mode"], each["rows"]) for each in found] == [
        ("made_up", 5), ("off_topic", 4), (None, 1),
    ]  # fmt: skip
    decided = ROWS - 4
    for each in found:
        assert each["estimate"] == pytest.approx(each["rows"] / decided)
        assert each["low"] < each["estimate"] < each["high"]
    assert measure_failure_modes(rows, read_rows(), {"candidate": {"good": {}}}) == []


def test_a_card_says_how_far_a_judge_agrees_with_reviews() -> None:
    """With intervals and its worth; what is not known is null."""

    def card(reviews: list[GateReview]) -> dict[str, Any]:
        read = read_rows({"good": reviews})
        names = {"candidate": {"good": "good 1, abc"}}
        [found] = judge_cards(DEFINITION, read, names, {"good": {"model": "m-1"}})  # type: ignore[arg-type]
        return found

    assert card([])["agreement"] is None
    found = card([GateReview(at, at % 4 != 0 or at == 8, 0.5) for at in range(30)])
    assert (found["judge"], found["model"], found["judge_of_baseline"]) == (
        "good 1, abc", "m-1", None,
    )  # fmt: skip
    agreement = found["agreement"]
    assert agreement["reviews"] == 30
    assert agreement["agreement"]["estimate"] == pytest.approx(26 / 27)
    assert agreement["agreement"]["low"] < 26 / 27 < agreement["agreement"]["high"]
    assert agreement["worth_in_reviews"]["estimate"] > 150
