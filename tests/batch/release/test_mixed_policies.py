"""A release over rows of two redaction policies says so in every output."""

import json
from pathlib import Path

import pytest

from batch.release.format.files import DATASHEET, MANIFEST
from goldpan.cli.main import run_command
from lake.tables import Lake
from tests.batch.release.kit import built
from tests.batch.release.world import POLICY, add, conversations, make_lake
from tests.servers.worker import TEST_KEY

SPEC = {"size": 12, "strata": [], "allocation": {}}


def two_policies(folder: Path) -> Lake:
    """Return a lake with half of its rows stored under another policy."""
    traces = conversations(2)
    half = len(traces) // 2
    lake = make_lake(folder / "lake", traces[:half], [])
    add(lake, "traces", traces[half:], policy="policy-b")
    return lake


def test_manifest_datasheet_and_show_count_the_rows_by_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each output shows that rows were redacted by different rules."""
    lake = two_policies(tmp_path)
    made = built(lake, tmp_path / "lake" / "releases", **SPEC)
    assert set(made.policies) == {POLICY, "policy-b"}
    folder = tmp_path / "lake" / "releases" / "support" / "1.0.0"
    assert json.loads((folder / MANIFEST).read_text())["redaction_policies"] == made.policies
    assert sum(made.policies.values()) == made.rows
    assert "under 2 redaction policies" in (folder / DATASHEET).read_text()
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "lake"))
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    assert run_command(["release", "show", "support"]) == 0
    assert "rows of 2 redaction policies" in capsys.readouterr().out
    assert run_command(["release", "verify", "support"]) == 0


def test_rows_of_one_policy_are_not_mentioned(tmp_path: Path) -> None:
    """With one policy the manifest is as it was before that key existed."""
    lake = two_policies(tmp_path)
    made = built(lake, tmp_path / "r", **SPEC, redaction_policies=["policy-b"])
    assert made.policies == {}
    folder = tmp_path / "r" / "support" / "1.0.0"
    assert "redaction_policies" not in json.loads((folder / MANIFEST).read_text())
    assert "redaction policies:" not in (folder / DATASHEET).read_text()
