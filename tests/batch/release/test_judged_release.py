"""A judge says the same of a row in a release, in the lake and in a file, under the same id."""

import json
from datetime import date
from pathlib import Path

import pytest

from batch.judge.judge_plan import JudgePlan
from batch.judge.measured_rows import measured_row
from batch.judge.subjects import (
    JudgeSubject,
    read_file_subjects,
    read_release_subjects,
    read_window_subjects,
)
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import json_rows
from batch.release.publish.reference import parse_reference
from judges.definition import parse_judge
from judges.metrics.metric import MeasuredRow
from judges.metrics.report import measure_metrics
from judges.outcome import JudgeAnswer
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.release.kit import open_repository
from tests.lake.kit import patience

LOCAL = "judge: task\nversion: 1\nasks: The task was done.\nby: [{local: task_success}]\n"
CHAT = "judge: faithful\nversion: 1\nasks: It is true.\nby: [{chat: m-1}]\n"


def judged(subjects: list[JudgeSubject], text: str) -> dict[str, tuple[str, JudgeAnswer | None]]:
    """Return the id and the answer of each row's judgement, by trace id."""
    definition = parse_judge(text, "judge.yaml")
    plan = JudgePlan(definition, definition.by[0])
    tasks = [(subject, plan.tasks_of(subject)[0]) for subject in subjects]
    return {each.trace_id: (task.key.judgement_id, task.answer) for each, task in tasks}


def of_release(folder: Path) -> list[JudgeSubject]:
    """Return the rows of the published release."""
    releases = open_repository(folder)
    return list(read_release_subjects(releases, releases.find(parse_reference("support"))))


@pytest.mark.parametrize("text", [LOCAL, CHAT])
def test_the_same_row_is_the_same_judgement_everywhere(
    conversation_lake: Lake, published_release: Path, tmp_path: Path, text: str
) -> None:
    """Over a release, over a window, and over its rows as JSON lines."""
    days = (date(2026, 11, 1), date(2026, 12, 1))
    releases = open_repository(published_release)
    version = releases.find(parse_reference("support"))
    file = tmp_path / "rows.jsonl"
    rows = json_rows(read_release_rows(releases.read(version, DATA)))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    in_release = judged(of_release(published_release), text)
    in_file = judged(list(read_file_subjects(file, lambda traces: [False] * len(traces))), text)
    in_lake = judged(list(read_window_subjects(conversation_lake, days, patience())), text)
    assert in_file == in_release
    assert len(in_lake) > len(in_release) == 40
    assert {trace_id: in_lake[trace_id] for trace_id in in_release} == in_release


def test_named_and_synthetic_rows_are_in_no_estimate(tmp_path: Path) -> None:
    """They are judged, but nobody drew them."""
    file = tmp_path / "rows.jsonl"
    rows = [{"trace_id": "a", "weight": 4, "drawn": "sample"}, {"trace_id": "b", "drawn": "named"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    first, second = read_file_subjects(file, lambda traces: [False] * len(traces))
    assert (first.is_sampled, first.probability) == (True, 0.25)
    assert (second.is_sampled, second.probability) == (False, 1.0)


def test_rows_of_a_release_have_its_weights(published_release: Path) -> None:
    """The weight of the design, and the conversation as the cluster."""
    subjects = of_release(published_release)
    assert {subject.release for subject in subjects} == {"support@1.0.0"}
    assert len({subject.probability for subject in subjects}) > 1
    assert all(0 < subject.probability <= 1 for subject in subjects)
    assert all(subject.cluster for subject in subjects)


def test_metrics_of_rows_without_their_texts_are_the_same(published_release: Path) -> None:
    """Texts are dropped to save memory; tool calls stay as right as they were."""
    subjects = of_release(published_release)
    slim = [measured_row(subject, {}) for subject in subjects]
    full = [
        MeasuredRow(subject.row, subject.weighted, row.verdicts, row.relevant)
        for subject, row in zip(subjects, slim, strict=True)
    ]
    found = measure_metrics(slim, ["app"])
    assert [each.to_json() for each in found] == [
        e.to_json() for e in measure_metrics(full, ["app"])
    ]
    by_name = {each.estimate.name: each.estimate for each in found}
    calls = by_name["tool_call_accuracy"]
    assert calls.rows == sum(len(subject.row.tool_calls) for subject in subjects) > 0
    assert by_name["error_rate"].weight == pytest.approx(
        sum(1 / subject.probability for subject in subjects)
    )
    assert all(not row.row.trace.messages and row.row.trace.response is None for row in slim)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["[1]"], "line 1 is not a JSON object"),
        (["{"], "line 1 is not JSON"),
        (['{"response": "x"}'], "line 1: not a row of a trace"),
        (
            ['{"trace_id": "a"}', "", '{"trace_id": "a"}'],
            "line 3: the same `trace_id` as in line 1",
        ),
        (['{"trace_id": "a", "messages": 7}'], r"line 1: not a row of a trace"),
        (['{"trace_id": "a", "weight": 0}'], "`weight` must be a number above 0"),
        (['{"trace_id": "a", "weight": true}'], "`weight` must be a number above 0"),
        ([json.dumps({"trace_id": "a" * 600})], "line 1"),
    ],
)
def test_a_file_that_cannot_be_judged_names_the_line(
    tmp_path: Path, lines: list[str], says: str
) -> None:
    """And nothing of its content."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        list(read_file_subjects(file, lambda traces: [False] * len(traces)))


def test_erased_rows_of_a_file_are_not_judged(tmp_path: Path) -> None:
    """A copy from before the erasure may still hold them."""
    file = tmp_path / "rows.jsonl"
    file.write_text('{"trace_id": "a"}\n{"trace_id": "b"}\n', encoding="utf-8")
    left = read_file_subjects(file, lambda traces: [trace.trace_id == "a" for trace in traces])
    assert [subject.trace_id for subject in left] == ["b"]
