"""``goldpan judge metrics``: figures by hand, each with what it rests on, or why there is none."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judges.definition import parse_judge
from schemas.records import Retrieved, ToolCall, Trace
from tests.batch.judge.world import (
    DAY,
    DEFINITION,
    Said,
    ScriptedServer,
    World,
    asked,
    take_in,
)
from tests.batch.kit import new_lake, open_lake
from tests.servers.in_process import Run, runner, work_in

ROWS = 12
DAYS = ("--from", DAY.isoformat())
FAITHFUL = DEFINITION.replace("judge: answered", "judge: faithfulness")
LAYERS = ["retrieval"] * 3 + ["generation"] * 4 + ["agent"] * 3 + ["operations"] * 3


def trace(number: int) -> Trace:
    """Return a call; each even one is repeated by the next, and each fourth failed."""
    good = ToolCall(id="c1", name="find", arguments="{}")
    bad = ToolCall(id="c2", name="find", arguments="{}", error="gone")
    fields: dict[str, Any] = {
        "app": "shop" if number % 3 else "desk",
        "status": "error" if number % 4 == 0 else "ok",
        "latency_ms": 100.0 * (number + 1),
        "cost_usd": 0.01,
        "input_tokens": number // 2,
        "response": f"Parcel {number} is on its way [{1 + (number == 5)}].",
        "retrieved": [Retrieved(document_id="d", text=f"parcel {number} is where it is")],
        "tool_calls": [good, bad] if number == 1 else [],
    }
    return asked(number, **fields)


def says(text: str) -> Said:
    """Pass parcels but for two, and fail to decide on a third."""
    if "parcel 3?" in text or "parcel 4?" in text:
        return "fail"
    return "unknown" if "parcel 6?" in text else "pass"


@pytest.fixture
def goldpan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan beside a lake whose traces a judge of faithfulness has judged.

    The judge's server is gone: metrics ask nobody.
    """
    lake = new_lake(tmp_path / "lake", [trace(number) for number in range(ROWS)])
    World(lake, ScriptedServer(says), parse_judge(FAITHFUL, "judge.yaml")).run()
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("GOLDPAN_JUDGES__URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("COLUMNS", "140")
    (tmp_path / "faithfulness.yaml").write_text(FAITHFUL, encoding="utf-8")
    return runner(capsys)


def told(goldpan: Run, *arguments: str) -> dict[str, Any]:
    """Return the output for programs, with metrics by name."""
    run = goldpan("judge", "metrics", *arguments, "--json")
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    assert [metric["layer"] for metric in found["metrics"]] == LAYERS
    found["metrics"] = {metric["name"]: metric for metric in found["metrics"]}
    return found


def estimates(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the estimates that there are."""
    metrics = found["metrics"].values()
    return {m["name"]: m["estimate"] for m in metrics if m["estimate"] is not None}


def test_a_window_of_the_lake_by_hand(goldpan: Run) -> None:
    """What the traces and the judge allow is measured; every row is in a metric or left out."""
    found = told(goldpan, "faithfulness.yaml", *DAYS)
    assert (found["rows"], found["weight"], found["not_sampled"]) == (ROWS, ROWS, 0)
    assert estimates(found) == pytest.approx(
        {
            "context_precision": 1.0,
            "faithfulness": 9 / 11,
            "citation_existence": 11 / 12,
            "tool_call_accuracy": 1 / 2,
            "retry_rate": 1 / 2,
            "error_rate": 1 / 4,
            "latency_p95_ms": 1200,
        }
    )
    judge = found["judges"]["faithfulness"]
    assert (judge["way"], judge["rows"], judge["epochs"]) == ("chat", ROWS, {"1": ROWS})
    metrics = found["metrics"]
    assert metrics["faithfulness"]["left_out"] == {"unknown": 1}
    assert metrics["faithfulness"]["least"] == pytest.approx(9 / 12)
    assert metrics["latency_p95_ms"]["high"] is None
    for name, metric in metrics.items():
        if name != "tool_call_accuracy":  # counts calls
            assert metric["rows"] + sum(metric["left_out"].values()) == ROWS, name
        assert (metric["why_not"] is None) == (metric["estimate"] is not None)
        if metric["estimate"] is not None:
            assert 0 <= metric["low"] <= metric["estimate"]
    assert "verdicts of the judge relevance" in metrics["relevance"]["why_not"]
    assert "`expected_documents`" in metrics["mrr"]["why_not"]
    parts = metrics["error_rate"]["segments"]["app"]
    assert {value: part["rows"] for value, part in parts.items()} == {"desk": 4, "shop": 8}


def test_a_judgement_counts_for_what_was_judged_alone(goldpan: Run, tmp_path: Path) -> None:
    """Another answer under the id of a judged trace is not judged; the same answer is."""
    lines = [
        {"trace_id": f"t{number:04}", "response": response, "messages": messages}
        for number, response in ((1, "Parcel 1 is on its way [1]."), (2, "Nowhere."))
        for messages in ([{"role": "user", "content": f"Where is parcel {number}?"}],)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    only = FAITHFUL.replace("judge: f", "reads: [question, response]\njudge: f")
    (tmp_path / "faithfulness.yaml").write_text(only, encoding="utf-8")
    lake = open_lake(tmp_path / "lake")
    World(lake, ScriptedServer(says), parse_judge(only, "judge.yaml")).run()
    found = told(goldpan, "faithfulness.yaml", "--rows", "rows.jsonl")["metrics"]["faithfulness"]
    assert (found["rows"], found["estimate"], found["left_out"]) == (1, 1.0, {"not_judged": 1})


def test_imported_verdicts_weights_and_documents(goldpan: Run, tmp_path: Path) -> None:
    """Rows of a file count by their weights; those that a spec names are in no metric."""
    lake = open_lake(tmp_path / "lake")
    said = [("a", "pass"), ("b", "fail"), ("c", "error"), ("e", "pass")]
    take_in(lake, [{"subject": id_, "judge": "task_success", "outcome": o} for id_, o in said])
    line: dict[str, Any] = {"messages": [], "cost_usd": 0.5, "retrieved": [{"document_id": "d"}]}
    lines = [
        {**line, "trace_id": "a", "weight": 3, "expected_documents": ["d"]},
        {**line, "trace_id": "b", "weight": 1, "expected_documents": ["x"]},
        {
            **line,
            "trace_id": "c",
            "weight": 2,
            "tool_calls": [{"id": "1", "name": "find", "arguments": '{"b":1,"a":2}'}],
            "expected_calls": [
                {"name": "find", "arguments": '{"a": 2, "b": 1}'},
                {"name": "tell", "arguments": "{}"},
            ],
        },
        {**line, "trace_id": "e", "drawn": "must_include"},
    ]
    text = "".join(json.dumps(each) + "\n" for each in lines)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    found = told(goldpan, "--rows", "rows.jsonl")
    assert (found["rows"], found["weight"], found["not_sampled"]) == (3, 6, 1)
    metrics = found["metrics"]
    assert metrics["hit_rate"]["estimate"] == pytest.approx(3 / 4)
    assert metrics["hit_rate"]["weight"] == pytest.approx(4)
    assert metrics["task_success"]["estimate"] == pytest.approx(3 / 4)
    assert metrics["task_success"]["left_out"] == {"error": 1}
    assert metrics["tool_call_accuracy"]["estimate"] == pytest.approx(1 / 2)
    assert metrics["cost_per_success"]["estimate"] == pytest.approx(4 * 0.5 / 3)
    assert metrics["retry_rate"]["left_out"] == {"not_recorded": 3}
    assert found["judges"]["task_success"]["way"] is None


def test_what_people_read(goldpan: Run) -> None:
    """A table by layer, a segment below each metric, and a line for each one without a figure."""
    run = goldpan("judge", "metrics", "faithfulness.yaml", *DAYS, "--by", "app")
    assert run.returncode == 0
    assert (
        "faithfulness: judge faithfulness, version 1, by chat m-2026-01-01: 12 rows" in run.stdout
    )
    lines = [" ".join(line.split()) for line in run.stdout.splitlines()]
    assert "operations error_rate 25.0% 2.5% to 68.0% 12" in lines
    assert "desk 50.0% 6.8% to 93.2% 4" in lines
    assert any(line.startswith("hit_rate is not measured: it needs") for line in lines)
    assert any(line.startswith("faithfulness leaves out: unknown 1; unknown") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["faithfulness.yaml"], "Name the rows to judge"),
        (["answered.yaml", *DAYS], "no metric is measured by a judge answered"),
        (["humour=answered.yaml", *DAYS], "no metric is measured by a judge humour"),
        (["faithfulness=form.yaml", *DAYS], "faithfulness is never measured by a check"),
        (["faithfulness.yaml", "faithfulness=answered.yaml", *DAYS], "another file"),
        (["nowhere.yaml", *DAYS], "nowhere.yaml"),
        ([*DAYS, "--by", "colour"], "Segments: app"),
    ],
)
def test_what_is_used_wrongly_is_refused(
    goldpan: Run, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    """Exit code 2, and what to do instead."""
    (tmp_path / "answered.yaml").write_text(DEFINITION, encoding="utf-8")
    form = "judge: form\nversion: 1\nasks: It says anything.\nby:\n  - {check: empty_answer}\n"
    (tmp_path / "form.yaml").write_text(form, encoding="utf-8")
    run = goldpan("judge", "metrics", *arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert expected in run.stderr
