"""Synthetic rows come into a release through the contract and through redaction, or not at all."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldpan.cli.main import run_command
from tests.architecture.source import ROOT
from tests.batch.release.kit import DOCUMENT
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.lake.copies import make_once
from tests.servers.worker import TEST_KEY

SECRET = "emily.watson@example.com"


def line(number: int, **more: Any) -> dict[str, Any]:
    """Return a line of a file of synthetic rows."""
    asked = f"May bag number {number} of colour {number * 7} travel on a flight at gate {number}?"
    return {
        "trace_id": f"made-{number}",
        "app": "airline-support",
        "environment": "production",
        "started_at": "2026-11-03T00:00:00Z",
        "status": "ok",
        "messages": [{"role": "user", "content": asked}],
        "response": f"Bag {number} may.",
        "label": "pass",
        "expected_response": f"Yes, bag {number} may travel.",
        **more,
    }


def _conversations_twice(folder: Path) -> None:
    traces = conversations(2)
    make_lake(folder, traces, labels_for(traces))


@pytest.fixture
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a lake and a spec that names a file of synthetic rows."""
    make_once(tmp_path / "lake", "conversations twice", _conversations_twice)
    asked = {"file": "rows.jsonl", "generator": "paraphraser-2", "max_share": 0.5}
    spec = DOCUMENT | {"synthetic": asked, "strata": ["label"]}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)


def offer(*lines: Any) -> None:
    """Write the file of synthetic rows."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
    Path("rows.jsonl").write_text("\n".join(texts))


@pytest.mark.usefixtures("_place")
def test_rows_without_personal_data_come_in(capsys: pytest.CaptureFixture[str]) -> None:
    """Users become pseudonyms, as in production; `show` tells synthetic rows apart."""
    offer(*(line(n, user_id=f"somebody-{n}") for n in range(3)))
    assert run_command(["release", "build", "spec.yaml"]) == 0
    capsys.readouterr()
    assert run_command(["release", "show", "support"]) == 0
    assert "3 of them synthetic" in capsys.readouterr().out
    assert run_command(["release", "verify", "support@1.0.0"]) == 0
    assert run_command(["release", "export", "support", "--to", "jsonl", "--out", "out"]) == 0
    rows = [json.loads(text) for text in Path("out/support.jsonl").read_text().splitlines()]
    made = [row for row in rows if row["generator"] == "paraphraser-2"]
    assert len(made) == 3
    assert all(row["user_id"] and "somebody" not in row["user_id"] for row in made)
    assert [(row["_topic"], row["_offset"]) for row in made] == [
        ("#synthetic", n) for n in (1, 2, 3)
    ]
    assert {len(row["_policy"]) for row in made} == {16}
    offer(*(line(n, user_id=f"somebody-{n}") for n in range(3)))
    assert run_command(["release", "build", "spec.yaml", "--json"]) == 0
    assert '"published": false' in capsys.readouterr().out


@pytest.mark.usefixtures("_place")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"response": f"Write to {SECRET}."}, "`response` holds personal data"),
        (
            {"messages": [{"role": "user", "content": f"I am {SECRET}"}]},
            "`messages` holds personal data",
        ),
        ({"expected_response": f"Ask {SECRET}."}, "`expected_response` holds personal data"),
        ({"attributes": {"note": SECRET}}, "`attributes` holds personal data"),
        ({"status": SECRET}, "`status`"),
        ({"label": SECRET}, "`label` must be one of"),
        ({"label": None}, "`label` is required"),
        ({SECRET: 1}, "line 2: "),
        ({"trace_id": "made-0"}, "`trace_id` is the same as in line 1"),
    ],
)
def test_a_line_that_cannot_be_taken_is_told_without_its_content(
    change: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line and field; nothing is built."""
    offer(line(0), line(1, **change), line(2))
    assert run_command(["release", "build", "spec.yaml"]) == 2
    error = capsys.readouterr().err
    assert "rows.jsonl, line 2: " in error
    assert told in error
    assert SECRET not in error
    assert not Path("lake/releases").exists()


@pytest.mark.usefixtures("_place")
@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"label": "pass"', "\ufeff{}", "7", '{"a":"\\ud800"}']
)
def test_a_line_that_is_no_row(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence with the line, whatever stands there."""
    offer(line(0), text)
    assert run_command(["release", "build", "spec.yaml"]) == 2
    assert "rows.jsonl, line 2: " in capsys.readouterr().err


@pytest.mark.usefixtures("_place")
def test_a_policy_that_the_spec_does_not_accept(capsys: pytest.CaptureFixture[str]) -> None:
    """Synthetic rows are redacted under the policy of the settings: the spec must take that one."""
    offer(line(0))
    spec = yaml.safe_load(Path("spec.yaml").read_text())
    Path("spec.yaml").write_text(yaml.safe_dump(spec | {"redaction_policies": ["policy-a"]}))
    assert run_command(["release", "build", "spec.yaml"]) == 2
    assert "`redaction_policies` does not accept" in capsys.readouterr().err


@pytest.mark.usefixtures("_place")
def test_the_line_of_the_page_is_taken() -> None:
    """docs/releases.md shows a line that may be copied."""
    page = (ROOT / "docs" / "releases.md").read_text(encoding="utf-8")
    lines = re.findall(r"```json\n(.*?)\n```", page, re.DOTALL)
    (shown,) = (one for one in lines if '"messages"' in one)
    offer(shown)
    assert run_command(["release", "build", "spec.yaml", "--dry-run"]) == 0


@pytest.mark.usefixtures("_place")
def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Is told by its name."""
    assert run_command(["release", "build", "spec.yaml"]) == 2
    assert "synthetic.file: rows.jsonl cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("_place")
def test_who_was_erased_does_not_come_back_with_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Erasure takes the row out of the release; the next build refuses the line."""
    offer(*(line(n, user_id=f"somebody-{n}") for n in range(3)))
    assert run_command(["release", "build", "spec.yaml"]) == 0
    assert run_command(["erase", "run", "--subject", "somebody-1"]) == 0
    assert run_command(["release", "verify", "support@2.0.0"]) == 0
    assert run_command(["release", "export", "support", "--to", "jsonl", "--out", "out"]) == 0
    rows = [json.loads(text) for text in Path("out/support.jsonl").read_text().splitlines()]
    assert {row["trace_id"] for row in rows if row["generator"]} == {"made-0", "made-2"}
    capsys.readouterr()
    assert run_command(["release", "build", "spec.yaml"]) == 2
    assert "rows.jsonl, line 2: `user_id` or `trace_id`" in capsys.readouterr().err


@pytest.mark.usefixtures("_place")
def test_expected_calls_with_personal_data_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """By their line; without any they come in, and a made row may be named too."""
    offer(line(1))
    spec = yaml.safe_load(Path("spec.yaml").read_text())
    Path("spec.yaml").write_text(yaml.safe_dump(spec | {"expected_calls": {"file": "calls.jsonl"}}))
    for secret, status in ((SECRET, 2), ("A-12", 0)):
        calls = [{"name": "find", "arguments": {"of": secret}}]
        Path("calls.jsonl").write_text(json.dumps({"trace_id": "made-1", "calls": calls}))
        assert run_command(["release", "build", "spec.yaml"]) == status
        told = capsys.readouterr()
        assert SECRET not in told.err + told.out
        if status:
            assert "calls.jsonl, line 1: its calls hold personal data" in told.err
    assert run_command(["release", "export", "support", "--to", "jsonl", "--out", "out"]) == 0
    rows = [json.loads(text) for text in Path("out/support.jsonl").read_text().splitlines()]
    said = {row["trace_id"]: row["expected_calls"] for row in rows if row["expected_calls"]}
    assert said == {"made-1": [{"name": "find", "arguments": '{"of": "A-12"}'}]}
