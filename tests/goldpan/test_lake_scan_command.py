"""``goldpan lake scan``: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from goldpan.cli.main import run_command
from tests.batch.kit import new_lake
from tests.labels.kit import trace
from tests.servers.worker import TEST_KEY

MAIL = "ann.miller@example.com"


@pytest.fixture
def scan_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings for a lake in it, and a policy without the model."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("extends: strict\nname: plain\nnames: {model: none}\n")
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "lake"))
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", str(policy))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_what_is_found_is_counted_with_the_way_out(
    scan_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, a table within 80 columns, the replay that removes it, and no value."""
    new_lake(
        scan_folder / "lake", [trace("a", response=f"mail {MAIL}"), trace("b", response="fine")]
    )
    assert run_command(["lake", "scan"]) == 1
    told = capsys.readouterr().out
    assert "EMAIL_ADDRESS 1" in told
    assert "goldpan stream replay --topic llm.traces --from 0 --to 1" in told
    assert "ann" not in told
    table = told.partition("checked with policy")[0].splitlines()[:-1]
    assert max(map(len, table)) <= 80
    assert run_command(["lake", "scan", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["rows"], data["types"]) == (False, 2, {"EMAIL_ADDRESS": 1})
    assert data["found"][0] | {"policy": "", "day": ""} == {
        "table": "traces",
        "release": None,
        "day": "",
        "policy": "",
        "rows": 2,
        "rows_found": 1,
        "types": {"EMAIL_ADDRESS": 1},
        "refused": {},
    }


def test_a_clean_lake_gives_0(scan_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing found is said in a sentence, with how much was looked at."""
    new_lake(scan_folder / "lake", [trace("a", response="fine")])
    assert run_command(["lake", "scan", "--sample", "100", "--older"]) == 0
    assert "would change nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--policy", "off"],
        ["--policy", "no-such-policy"],
        ["--from", "2026-11-02", "--to", "2026-11-01"],
        ["--table", "redactions"],
    ],
    ids=" ".join,
)
def test_wrong_use_gives_2(scan_folder: Path, arguments: list[str]) -> None:
    """A policy that replaces nothing, days the wrong way round, a table without texts."""
    new_lake(scan_folder / "lake")
    assert run_command(["lake", "scan", *arguments]) == 2


def test_no_lake_gives_3(scan_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lake that is not there is no clean lake."""
    assert run_command(["lake", "scan"]) == 3
    assert "there is no table" in capsys.readouterr().err
