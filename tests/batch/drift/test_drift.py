"""`goldpan drift` over a lake: nothing where nothing changed, and what did change, by its name."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.drift import report_store
from batch.drift.detection import DriftRequest, compare_with_days
from batch.drift.period_engine import pin_tables
from batch.drift.report import DriftReport
from batch.drift.statistics import jensen_shannon_distance
from goldpan.cli.main import run_command
from lake.objects import FolderStore
from lake.tables import Lake
from tests.architecture.source import ROOT
from tests.batch.drift.test_counts import ON_DUCKDB
from tests.batch.drift.world import (
    DAYS,
    FIRST,
    LAST,
    TRACES,
    WINDOW,
    five_weeks,
    found_in,
    micros,
    set_aside,
)
from tests.batch.release.world import add
from tests.goldpan.test_docs import calls
from tests.servers.worker import TEST_KEY

ASKED = DriftRequest(
    today=LAST + timedelta(days=2),
    days=WINDOW,
    against_days=DAYS - WINDOW,
    settled_days=1,
    alpha=0.01,
    least=0.05,
)

SPAN: Mapping[str, Any] = {
    **dict.fromkeys(("trace_id", "name", "scope"), "s"),
    **dict.fromkeys(("attributes", "resource"), "{}"),
    **dict.fromkeys(("status_code", "dropped_attributes"), 0),
    "record": "span",
    "format": "otlp",
    "part": "whole",
}


def compared(folder: Path, **changed: Any) -> DriftReport:
    """The comparison of the last week of a lake with the four before."""
    return compare_lake(five_weeks(folder, **changed), ASKED)


def compare_lake(lake: Lake, request: DriftRequest) -> DriftReport:
    """Compare days of a lake on DuckDB."""
    return compare_with_days(pin_tables(lake), request, ON_DUCKDB)


def test_quiet_weeks_are_quiet(tmp_path: Path) -> None:
    """Nothing drifted; each feature was looked at, over all its rows."""
    found = compared(tmp_path)
    assert found.drifted == ()
    rows = {one.feature: one.rows for one in found.findings}
    weeks = (TRACES * (DAYS - WINDOW), TRACES * WINDOW)
    features = {"app", "status", "error_type", "model_version", "latency_ms", "segments.plan"}
    for name in {*features, "label", "findings"}:
        assert rows[name] == weeks, name
    assert rows["p_fail"] == (weeks[0] / 2, weeks[1] / 2)
    assert rows["quarantine"] == (weeks[0] + 2 * (DAYS - WINDOW), weeks[1] + 2 * WINDOW)
    assert (found.reference, found.window) == (
        "2026-10-05 to 2026-11-01",
        "2026-11-02 to 2026-11-08",
    )


def test_records_of_spans_are_compared_apart(tmp_path: Path) -> None:
    """Spans that begin to arrive, with other findings and much set aside, shift nothing else."""
    lake = five_weeks(tmp_path)
    day = micros(LAST)
    mail = [{**found_in(day, number, mail=True), "_ingested_at": day} for number in range(500)]
    add(lake, "otel_spans", [{**SPAN, "started_at": day}] * 50, topic="otlp_spans")
    add(lake, "redactions", mail, topic="otlp_spans")
    add(lake, "quarantine", [set_aside(day)] * 100, topic="otlp_spans")
    found = compare_lake(lake, ASKED)
    assert found.drifted == ()
    rows = {one.feature: one.rows for one in found.findings}
    assert rows["findings"] == (TRACES * (DAYS - WINDOW), TRACES * WINDOW)
    assert rows["quarantine"][1] == (TRACES + 2) * WINDOW
    assert {"span_findings", "span_quarantine"} <= found.passed_over.keys()


def test_an_audit_that_begins_to_count_what_is_kept_is_no_drift(tmp_path: Path) -> None:
    """`GOLDPAN_REDACT__AUDIT_KEPT` changes what is reported, not production."""
    assert compared(tmp_path, kept=True).drifted == ()


@pytest.mark.parametrize(
    ("changed", "features"),
    [
        ({"errors": 0.2, "slow": 1.6}, {"status", "error_type", "latency_ms"}),
        ({"failing": 0.6, "bad": 20}, {"label", "p_fail", "quarantine"}),
        (
            {"model": 0.7, "mail": 0.5, "segments": ("free", "gold", "gold")},
            {"model_version", "findings", "segments.plan"},
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_change_is_found_where_it_is(
    changed: dict[str, Any], features: set[str], tmp_path: Path
) -> None:
    """What changed has drifted, and nothing else."""
    assert set(compared(tmp_path, **changed).drifted) == features


def test_labels_are_as_old_on_each_day(tmp_path: Path) -> None:
    """Feedback that is still to come for the newest days is no drift: older days count without."""
    lake = five_weeks(tmp_path)
    eager = {name: getattr(ASKED, name) for name in ASKED.__slots__}
    eager |= {"settled_days": 0, "today": LAST + timedelta(days=1)}
    found = {one.feature: one for one in compare_lake(lake, DriftRequest(**eager)).findings}
    rows = found["p_fail"].rows
    # Labels came an hour after their trace; those of the last hour of a day are after its end.
    assert rows[0] / (DAYS - WINDOW) == pytest.approx(rows[1] / WINDOW, rel=0.05)
    assert rows[0] < TRACES * (DAYS - WINDOW) / 2
    assert not found["label"].drifted


@pytest.fixture
def drift_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are typed, and their lake is `lake`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    return tmp_path


def test_the_command_says_no(drift_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and what drifted, for people and machines; the report is kept if asked."""
    five_weeks(drift_folder / "lake", errors=0.2, slow=1.6)
    options = ["drift", "--until", str(LAST)]
    assert run_command(options) == 1
    shown = capsys.readouterr().out
    assert "drifted: " in shown
    assert '"error": 4.7% to 19.4%' in shown
    assert "median" in shown
    assert run_command([*options, "--json", "--keep"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert set(told["drifted"]) == {"status", "error_type", "latency_ms"}
    assert (
        run_command([*options, "--json", "--no-fail"]) == 0
    )  # for a job whose report is looked at
    assert json.loads(capsys.readouterr().out) == told
    assert told.pop("engine") == "duckdb"
    found = report_store.load_newest_report(
        FolderStore(drift_folder / "lake" / report_store.DRIFT_FOLDER)
    )
    assert found == (LAST, told)


def test_the_command_says_yes(drift_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; with too few days, or none, it says that nothing could be compared."""
    five_weeks(drift_folder / "lake")
    assert run_command(["drift", "--until", str(LAST)]) == 0
    assert "nothing has drifted" in capsys.readouterr().out
    assert (
        run_command(["drift", "--until", str(FIRST + timedelta(days=2)), "--days", "1", "--json"])
        == 1
    )
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == []
    assert "too few days" in told["passed_over"]["status"]
    assert run_command(["drift", "--until", "2020-01-31"]) == 1
    assert "nothing could be compared" in capsys.readouterr().out


def test_a_release_is_a_reference(drift_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Drawn from the quiet weeks with unequal weights, it fits a quiet one and not the other."""
    spec = {
        "name": "quiet",
        "window": {"from": str(FIRST), "to": str(LAST - timedelta(days=WINDOW - 1))},
        "size": 600,
        "strata": ["label", "status"],
        "allocation": {"by": "error_biased", "floor": 50},
        "redaction_policies": "any",
        "labels": {"accept": ["pass", "fail", "unknown", "none"]},
        "near_duplicates": None,
    }
    (drift_folder / "spec.yaml").write_text(json.dumps(spec))
    asked = ["drift", "--until", str(LAST), "--release", "quiet", "--json"]
    five_weeks(drift_folder / "lake", errors=0.3, model=0.6)
    assert run_command(["release", "build", "spec.yaml"]) == 0
    capsys.readouterr()
    assert run_command(asked) == 1
    told = json.loads(capsys.readouterr().out)
    assert set(told["drifted"]) == {"status", "error_type", "model_version"}
    (status,) = (one for one in told["findings"] if one["feature"] == "status")
    errors = {share["value"]: share["before"] for share in status["shares"]}["error"]
    assert errors == pytest.approx(0.05, abs=0.02)  # weighted back: the release holds far more
    assert run_command([*asked, "--days", "3"]) == 2
    (drift_folder / "spec.yaml").write_text(json.dumps(spec | {"name": "gold", "labels": {}}))
    assert run_command(["release", "build", "spec.yaml"]) == 0
    assert run_command(["drift", "--until", str(LAST), "--release", "gold"]) == 2
    assert "represents traces labelled pass or fail" in capsys.readouterr().err


@pytest.mark.parametrize("until", ["0001-01-01", "0001-02-01", "9999-12-31"])
def test_days_out_of_the_calendar_are_refused(
    drift_folder: Path, capsys: pytest.CaptureFixture[str], until: str
) -> None:
    """The first and the last day there are lead out of it: used wrongly, in one sentence."""
    assert run_command(["drift", "--until", until]) == 2
    assert "outside the calendar" in capsys.readouterr().err


@pytest.mark.chaos
def test_a_release_may_ask_from_the_beginning(drift_folder: Path) -> None:
    """A window from the first day of the calendar to the last is all there is."""
    five_weeks(drift_folder / "lake", errors=0.3, model=0.6)
    Path("far.yaml").write_text(
        "name: far\nwindow: {from: 0001-01-01, to: 9999-12-31}\nsize: 10\nredaction_policies: any\n"
    )
    assert run_command(["release", "build", "far.yaml", "--dry-run"]) == 0


def test_the_commands_of_the_page_run(drift_folder: Path) -> None:
    """Each call on `docs/drift.md` gives an answer; the examples of distances are right."""
    five_weeks(drift_folder / "lake")
    page = (ROOT / "docs" / "drift.md").read_text(encoding="utf-8")
    for arguments in calls(page):
        if arguments[0] == "drift" and not {"--release", "--engine"} & {*arguments}:
            # Without --until it depends on the day of the test whether there is something.
            assert run_command(arguments) in ({0} if "--until" in arguments else {0, 1}), arguments
    for shares, told in (((0.98, 0.96), 0.05), ((0.98, 0.94), 0.09), ((1.0, 0.95), 0.16)):
        p, q = (np.array([share, 1 - share]) for share in shares)
        assert jensen_shannon_distance(p, q) == pytest.approx(told, abs=0.005)
        assert str(told) in page


def test_the_newest_report_counts(tmp_path: Path) -> None:
    """Of several that are kept, that of the latest day; none where none is."""
    store = FolderStore(tmp_path)
    assert report_store.load_newest_report(store) is None
    for day in ("2026-11-02", "2026-10-30"):
        store.put(f"{day}.json", b'{"drifted": []}')
    assert report_store.load_newest_report(store) == (date(2026, 11, 2), {"drifted": []})
