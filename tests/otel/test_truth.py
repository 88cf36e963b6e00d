"""What the assembled rows say is what happened, and the page shows the score."""

from collections import defaultdict

import pytest

from tests.architecture.source import ROOT
from tests.otel.captures import CAPTURES, assemble_capture, read_records, read_truth
from tests.otel.truth_score import compare_all, counted, render_page


def test_each_field_is_right_in_at_least_99_of_100_cells() -> None:
    """Over all sources, of the cells whose value the spans of the turn hold."""
    equal: dict[str, list[bool]] = defaultdict(list)
    for cell in counted(compare_all()):
        equal[cell.field].append(cell.matches)
    assert len(equal) >= 13
    assert {field: n for field, n in equal.items() if sum(n) < 0.99 * len(n)} == {}
    assert all(len(cells) >= 20 for cells in equal.values())


@pytest.mark.parametrize(("source", "encoding"), CAPTURES)
def test_each_turn_has_a_row_and_nothing_else_has_one(source: str, encoding: str) -> None:
    """No health check, no tool on its own, and no turn is missing."""
    traces = assemble_capture(source, encoding)
    rows = {trace_id for trace_id, trace in traces.items() if trace.row is not None}
    turns = [turn for turn in read_truth() if turn["source"] == source]
    assert rows <= {trace_id for turn in turns for trace_id in turn["all_trace_ids"]}
    assert all(rows & set(turn["all_trace_ids"]) for turn in turns)
    assert all(trace.reason for trace in traces.values() if trace.row is None)


@pytest.mark.parametrize(("source", "encoding"), CAPTURES)
def test_nothing_of_a_capture_is_set_aside(source: str, encoding: str) -> None:
    """Every item of real traffic can be read."""
    records = read_records(source, encoding)
    assert records
    assert [item for record in records for item in record.rejected] == []


def test_a_missing_root_is_named() -> None:
    """The rows of turns whose root was lost say so, and only those."""
    for source, encoding in CAPTURES:
        lost = {
            trace_id
            for turn in read_truth()
            if turn["source"] == source and turn.get("root_missing")
            for trace_id in turn["all_trace_ids"]
        }
        traces = assemble_capture(source, encoding)
        assert {t for t, trace in traces.items() if "root_missing" in trace.incomplete} == lost


def test_the_page_holds_the_tables_of_the_code() -> None:
    """``python -m tests.otel.truth_score docs/otel.md`` writes them again."""
    page = (ROOT / "docs" / "otel.md").read_text(encoding="utf-8")
    assert render_page(page) == page
