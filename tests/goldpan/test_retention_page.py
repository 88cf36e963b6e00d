"""The plan and the commands on the page about retention are accepted, and do what it says."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from batch.retention.limit import median_rows_taken
from goldpan import wiring
from goldpan.cli.main import run_command
from goldpan.settings import load_settings
from goldpan.wiring import now_us
from lake.objects import FolderStore
from stream.replay.repository import REPLAYS_FOLDER
from tests.architecture.source import ROOT
from tests.batch.retention.kit import new_lake, open_lake, said, table_rows, versions
from tests.goldpan.test_docs import calls
from tests.servers.worker import TEST_KEY
from tests.stream.replays import filled_lake, stage

DAY = date(2026, 12, 4)
PAGE = (ROOT / "docs" / "retention.md").read_text(encoding="utf-8")


@pytest.fixture
def _retention_page_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake and the plan of the page, where the commands are typed."""
    (tmp_path / "retention.yaml").write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    new_lake(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setattr("goldpan.retention_setup.store_today", lambda _settings: DAY)


@pytest.mark.usefixtures("_retention_page_lake")
def test_the_commands_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the page; a dry run changes nothing, the next one does."""
    before = versions(open_lake("lake"))
    wanted = [a for a in calls(PAGE) if a[:2] == ["retention", "run"] and "--plan" in a[:4]]
    assert len(wanted) >= 3
    for number, arguments in enumerate(wanted):
        assert run_command(arguments) == 0
        assert (versions(open_lake("lake")) == before) == (number == 0)
    assert run_command(["lake", "verify", "--deep"]) == 0
    assert "wrong" not in capsys.readouterr().out


@pytest.mark.usefixtures("_retention_page_lake")
def test_the_report_for_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By table, day and part; the plan may be a setting; a second run has nothing to report."""
    monkeypatch.setenv("GOLDPAN_RETENTION__PLAN", "retention.yaml")
    assert run_command(["retention", "run", "--json", "--yes"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["until"]["traces"] == {
        "rows": "2025-10-30",
        "text": "2026-11-04",
        "pseudonyms": "2026-09-05",
    }
    traces = [one for one in told["expired"] if one["table"] == "traces"]
    assert [one["day"] for one in traces] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert {one["parts"]["text"]["rows"] for one in traces} == {3}
    assert run_command(["retention", "run", "--json"]) == 0
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
    assert run_command(["retention", "run", "--plan", "retention.yaml"]) == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["retention.yaml"]


def test_a_replay_that_was_forgotten_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its staged tables hold rows of days that are over; one without tables yet is passed over."""
    filled_lake(tmp_path)
    begun = replace(stage(tmp_path), name="begun", replay_id=7)
    FolderStore(tmp_path / "lake" / REPLAYS_FOLDER).put_new("begun/replay.json", begun.to_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setattr("goldpan.retention_setup.store_today", lambda _settings: DAY)
    Path("plan.yaml").write_text("tables: {feedback: {rows: 30}}")
    assert run_command(["retention", "run", "--plan", "plan.yaml", "--yes"]) == 0
    assert "replay r1 has 4 staged rows" in " ".join(capsys.readouterr().out.split())
    assert run_command(["replay", "abandon", "r1"]) == 0
    capsys.readouterr()
    assert run_command(["retention", "run", "--plan", "plan.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["staged_replays"] == []


def test_without_a_plan_nothing_expires(capsys: pytest.CaptureFixture[str]) -> None:
    """And the sentence says which setting is missing."""
    assert run_command(["retention", "run"]) == 2
    assert "GOLDPAN_RETENTION__PLAN" in capsys.readouterr().err


YEARS = 4 * 366 * 86_400 * 1_000_000
TAKES_ALL = "tables:\n  traces: {rows: 19, text: 17}\n  reviews: {rows: 19}\n"


@pytest.fixture
def _expiring_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake, and a plan by which little is due today, and everything in a month."""
    new_lake(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    Path("plan.yaml").write_text(TAKES_ALL)


@pytest.mark.usefixtures("_expiring_folder")
@pytest.mark.parametrize("wrong", [YEARS, -YEARS, 400 * 1_000_000, 2**62])
def test_a_machine_whose_clock_is_wrong_deletes_nothing(
    wrong: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes by age is decided by the store's clock, and a machine that differs is told so."""
    before, there = versions(open_lake("lake")), now_us()
    monkeypatch.setattr(wiring, "now_us", lambda: there + wrong)
    for command in (
        ["retention", "run", "--plan", "plan.yaml", "--purge", "--yes"],
        ["retention", "run", "--plan", "plan.yaml", "--dry-run"],
        ["lake", "vacuum", "--keep-hours", "1"],
        ["erase", "run", "--subject", "somebody"],
    ):
        assert run_command(command) == 3, command
        said = capsys.readouterr().err
        assert said.startswith("goldpan: the clock of this machine says ")
        assert "nothing was changed" in said
    assert versions(open_lake("lake")) == before
    assert not Path("lake/erasures").exists()


@pytest.mark.usefixtures("_expiring_folder")
def test_a_clock_that_differs_by_seconds_is_as_good_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the day is the store's."""
    there = now_us()
    monkeypatch.setattr(wiring, "now_us", lambda: there + 200 * 1_000_000)
    assert run_command(["lake", "vacuum", "--keep-hours", "1"]) == 0
    assert abs(wiring.store_now_us(load_settings()) - there) < 100 * 1_000_000


def test_asking_for_the_time_makes_no_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that is wrong stays an address at which nothing is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    assert run_command(["lake", "vacuum"]) == 3
    assert "there is no table" in capsys.readouterr().err
    assert not Path("lake").exists()


@pytest.mark.usefixtures("_expiring_folder")
def test_a_run_that_would_take_far_more_than_the_last_ones_stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures, exit code 1, and nothing is changed, until somebody says that it is meant."""

    def on(day: int, *more: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(
            "goldpan.retention_setup.store_today", lambda _settings: date(2026, 11, day)
        )
        capsys.readouterr()
        code = run_command(["retention", "run", "--plan", "plan.yaml", "--json", *more])
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, told

    code, told = on(21)  # 1 November goes, and the texts of the two days after it
    assert (code, bool(told["expired"])) == (0, True)
    assert on(22)[0] == 0
    before = versions(open_lake("lake"))
    code, told = on(30)
    assert (code, told["ok"]) == (1, False)
    assert {(one["table"], one["part"]): (one["rows"], one["of"]) for one in told["too_much"]} == {
        ("reviews", "rows"): (4, 4),
        ("traces", "rows"): (12, 12),
    }
    assert on(30, "--at-most", "0.9")[0] == 1
    assert versions(open_lake("lake")) == before
    assert on(30, "--dry-run")[0] == 0
    assert versions(open_lake("lake")) == before
    assert on(30, "--at-most", "1")[0] == 0
    assert table_rows(open_lake("lake"), "traces") == []


@pytest.mark.usefixtures("_expiring_folder")
@pytest.mark.parametrize("share", ["nan", "0", "-1", "1.5", "", "all"])
def test_a_share_that_limits_nothing_is_refused(
    share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line and in the settings alike."""
    assert run_command(["retention", "run", "--plan", "plan.yaml", "--at-most", share]) == 2
    if share:  # an empty variable is one that is not set
        monkeypatch.setenv("GOLDPAN_RETENTION__AT_MOST", share)
        assert run_command(["retention", "run", "--plan", "plan.yaml"]) == 2


@pytest.mark.parametrize(
    ("runs", "usual"),
    [
        ([], {}),
        ([("7", 5), ("7", 6), ("8", 3)], {"rows": 7}),
        ([("1", 90), *((str(n), 2) for n in range(2, 7))], {"rows": 2}),
        ([(None, 4), (None, 8)], {"rows": 6}),
    ],
)
def test_what_the_last_runs_took(runs: list[tuple[str | None, int]], usual: dict[str, int]) -> None:
    """The commits of a run count together; one large run does not move the median of five."""
    said = [
        (version, json.dumps({"parts": {"rows": {"rows": rows}}} | ({"run": run} if run else {})))
        for version, (run, rows) in enumerate(runs)
    ]
    assert median_rows_taken(said) == usual
