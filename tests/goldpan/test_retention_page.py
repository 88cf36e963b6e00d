"""The plan and the commands on the page about retention are accepted, and do what it says."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from goldpan.cli.main import run
from tests.architecture.source import ROOT
from tests.batch.retention.kit import new_lake, open_lake, said, table_rows, versions
from tests.goldpan.test_docs import calls
from tests.stream.replays import filled_lake, stage, staging

DAY = date(2026, 12, 4)
PAGE = (ROOT / "docs" / "retention.md").read_text(encoding="utf-8")


@pytest.fixture
def _lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake and the plan of the page, where the commands are typed."""
    (tmp_path / "retention.yaml").write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    new_lake(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setattr("goldpan.retention.today", lambda: DAY)


@pytest.mark.usefixtures("_lake")
def test_the_commands_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the page; a dry run changes nothing, the next one does."""
    before = versions(open_lake("lake"))
    wanted = [a for a in calls(PAGE) if a[:2] == ["retention", "run"] and "--plan" in a[:4]]
    assert len(wanted) >= 3
    for number, arguments in enumerate(wanted):
        assert run(arguments) == 0
        assert (versions(open_lake("lake")) == before) == (number == 0)
    assert run(["lake", "verify", "--deep"]) == 0
    assert "wrong" not in capsys.readouterr().out


@pytest.mark.usefixtures("_lake")
def test_the_report_for_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By table, day and part; the plan may be a setting; a second run has nothing to report."""
    monkeypatch.setenv("GOLDPAN_RETENTION__PLAN", "retention.yaml")
    assert run(["retention", "run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["until"]["traces"] == {
        "rows": "2025-10-30",
        "text": "2026-11-04",
        "pseudonyms": "2026-09-05",
    }
    traces = [one for one in told["expired"] if one["table"] == "traces"]
    assert [one["day"] for one in traces] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert {one["parts"]["text"]["rows"] for one in traces} == {3}
    assert run(["retention", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["expired"] == []
    assert {r["user_id"] for r in table_rows(open_lake("lake"), "traces")} >= {said(0, "user")}


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("tables: {traces: {rows: 3}}", "decided from the last 7"),
        ("tables:\n  traces:\n    text: 0\n", "line 3: tables.traces.text"),
        ("tables:\n  reviews: {pseudonyms: 9}\n", "line 2: tables.reviews.pseudonyms: cannot"),
        ("tables:\n  traces: {rows: 30, text: 40}\n", "longer than the rows"),
        ("tables:\n  spans: {rows: 30}\n", "line 2: tables.spans"),
        ("tables: {}", "line 1: tables"),
        ("- 1", "must be a mapping"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(
    plan: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the line and the reason, and exit code 2, before the lake is looked at."""
    monkeypatch.chdir(tmp_path)
    Path("retention.yaml").write_text(plan)
    assert run(["retention", "run", "--plan", "retention.yaml"]) == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["retention.yaml"]


def test_a_replay_that_was_forgotten_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its staged tables hold rows of days that are over; one without tables yet is passed over."""
    filled_lake(tmp_path)
    begun = replace(stage(tmp_path), name="begun", number=7)
    staging(tmp_path)._files.put_new("begun/replay.json", begun.to_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setattr("goldpan.retention.today", lambda: DAY)
    Path("plan.yaml").write_text("tables: {feedback: {rows: 30}}")
    assert run(["retention", "run", "--plan", "plan.yaml"]) == 0
    assert "replay r1 holds 4 staged rows" in " ".join(capsys.readouterr().out.split())
    assert run(["replay", "abandon", "r1"]) == 0
    capsys.readouterr()
    assert run(["retention", "run", "--plan", "plan.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["staged_replays"] == []


def test_without_a_plan_nothing_expires(capsys: pytest.CaptureFixture[str]) -> None:
    """And the sentence says which setting is missing."""
    assert run(["retention", "run"]) == 2
    assert "GOLDPAN_RETENTION__PLAN" in capsys.readouterr().err
