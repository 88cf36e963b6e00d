"""The commands on the pages about labels and reviews run, one after the other, on one lake."""

import json
from pathlib import Path
from typing import Any

import pytest

from goldpan.cli.main import run_command
from lake.tables import Lake
from tests.architecture.source import ROOT
from tests.batch.kit import complaints, new_lake
from tests.batch.test_reconcile import world
from tests.goldpan.test_docs import calls
from tests.labels.kit import feedback, trace
from tests.servers.worker import TEST_KEY

NODE_EXPORTER = "/var/lib/node_exporter"


@pytest.fixture
def pages_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with what the pages speak of, where the commands are typed."""
    unsure: dict[str, Any] = {"kind": "regenerate", "value": None}
    asked = [feedback(f"g-{i}", f"tr-{i}", **unsure) for i in (7, 8)]
    made = [trace("tr-7"), trace("tr-8"), *asked, *world(100)]
    lake = new_lake(tmp_path / "lake", made)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text("extends: agent\nname: page\naudit: {rate: 0.3}\n")
    for name, value in {
        "LAKE__URI": "lake",
        "LABELS__POLICY": "policy.yaml",
        "REDACT__POLICY": "off",
        "REDACT__KEY": TEST_KEY,
    }.items():
        monkeypatch.setenv(f"GOLDPAN_{name}", value)
    assert run_command(["labels", "reconcile"]) == 0
    return lake


def taught(capsys: pytest.CaptureFixture[str]) -> None:
    """Review all that waits, as the pages say: items to a file, a file of reviews back."""
    capsys.readouterr()
    assert run_command(["review", "next", "--reviewer", "ann", "--count", "50", "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    lines = [
        json.dumps({"trace_id": item["trace_id"], "verdict": ("pass", "fail")[number % 2]})
        for number, item in enumerate(items)
    ]
    Path("reviews.jsonl").write_text("\n".join(lines))


def test_the_commands_of_the_pages_run(
    pages_lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each does what the page says, in the order of the page."""
    done = []
    for page in ("docs/reviews.md", "docs/labels.md"):
        for arguments in calls((ROOT / page).read_text(encoding="utf-8")):
            if arguments[:1] not in (["labels"], ["review"]) or "--help" in arguments:
                continue
            if "--answer-id" in arguments:
                continue  # tests/goldpan/test_asked_reviews.py
            if "--file" in arguments:
                taught(capsys)
            here = [word.replace(NODE_EXPORTER, str(tmp_path)) for word in arguments]
            if len(here) > 2 or here[0] == "labels":
                assert run_command(here) == 0, arguments
                done.append(" ".join(here[:2]))
    assert {"review next", "review submit", "labels reconcile", "labels rebuild"} <= set(done)
    assert (tmp_path / "lake" / "calibrations" / "1.json").exists()
    assert complaints(pages_lake) == []
