"""`goldpan lake metrics`: what dashboards show of tables, releases and drift."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from batch.lake_metrics import LAKE_GAUGES
from goldpan.cli.main import run_command
from tests.architecture.source import ROOT
from tests.batch.drift.world import DAYS, LAST, TRACES, five_weeks
from tests.servers.worker import TEST_KEY

SPEC = {
    "name": "all",
    "window": {"from": "2000-01-01", "to": "2099-01-01"},
    "size": 20,
    "redaction_policies": "any",
    "near_duplicates": None,
}


@pytest.fixture
def metrics_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are typed, and their lake is `lake`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    return tmp_path


def told(text: str) -> dict[str, dict[str, float]]:
    """The values in the text format of Prometheus, by metric and label."""
    return {
        family.name: {"".join(s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_a_new_lake_has_tables_and_nothing_else(
    metrics_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No release and no report of drift are no values, not zeros."""
    assert run_command(["lake", "init"]) == 0
    capsys.readouterr()
    assert run_command(["lake", "metrics", "--prometheus"]) == 0
    found = told(capsys.readouterr().out)
    assert set(found["goldpan_table_rows"].values()) == {0.0}
    assert found["goldpan_release_age_seconds"] == found["goldpan_drift_found"] == {}
    assert "goldpan_drift_age_seconds" not in found
    assert not (metrics_folder / "lake" / "drift").exists()


def test_every_gauge_has_a_value(metrics_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a release and a report of drift; ages are those of the lake and of the window."""
    five_weeks(metrics_folder / "lake", errors=0.3)
    (metrics_folder / "spec.yaml").write_text(json.dumps(SPEC))
    assert run_command(["release", "build", "spec.yaml"]) == 0
    assert run_command(["drift", "--until", str(LAST), "--keep"]) == 1
    assert run_command(["lake", "metrics", "--textfile", "lake.prom"]) == 0
    found = told((metrics_folder / "lake.prom").read_text())
    assert set(found) == {spec.name for spec in LAKE_GAUGES}
    assert found["goldpan_table_rows"]["traces"] == DAYS * TRACES
    assert found["goldpan_drift_found"]["status"] == 1
    assert found["goldpan_drift_found"]["app"] == 0
    assert found["goldpan_drift_distance"]["status"] > 0.1
    after = datetime.now(UTC) - datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC)
    window = timedelta(seconds=found["goldpan_drift_age_seconds"][""])
    assert after - timedelta(days=1, minutes=5) < window <= after - timedelta(days=1)
    assert "all" in found["goldpan_release_age_seconds"]
    capsys.readouterr()
    assert run_command(["lake", "metrics"]) == 0
    assert "goldpan_release_age_seconds" in capsys.readouterr().out


def test_a_withdrawn_release_has_no_age(
    metrics_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no golden set any more."""
    five_weeks(metrics_folder / "lake")
    (metrics_folder / "spec.yaml").write_text(json.dumps(SPEC))
    assert run_command(["release", "build", "spec.yaml"]) == 0
    assert run_command(["release", "withdraw", "all@1.0.0", "--reason", "wrong"]) == 0
    capsys.readouterr()
    assert run_command(["lake", "metrics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["goldpan_release_age_seconds"] == {}


def test_the_page_lists_every_gauge() -> None:
    """`docs/deploy.md` says what each means, in the words of the code."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for spec in LAKE_GAUGES:
        label = f"`{spec.label}`" if spec.label else "none"
        assert f"| `{spec.name}` | {label} | {spec.description} |" in page
