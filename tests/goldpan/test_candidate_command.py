"""``goldpan candidate run`` as people use it, and what the gate says of its outputs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batch.gate.gate_lines import UNRECORDED
from tests.batch.gate.candidate_world import CANARY, body_of
from tests.batch.gate.world import publish_release, verdicts, write_lines
from tests.batch.judge.hostile_server import HostileRequest, HostileServer, Step, reply
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import Run, runner, work_in

ROWS = 12
GATE = """\
gate: a
release: support@1
require:
  faithful: {at_least: 0.5}
  error_rate: {at_most: 0.5}
  latency_p95_ms: {at_most: 100000}
"""
KEY = "sk-canary-71"
ASK = ("candidate", "run", "--model", "m", "--release", "support@1", "--out", "out.jsonl")


def _answers(_request: HostileRequest) -> list[Step]:
    return [reply(body_of(f"At nine, says {CANARY}."))]


class Everyone(dict[int, Any]):
    """The same script for each case."""

    def __missing__(self, case: int) -> Any:
        """Return the script."""
        return _answers


@pytest.fixture
def model_server() -> Iterator[HostileServer]:
    """Run a server of a model."""
    with HostileServer(Everyone(), keep_seen=True) as made:
        yield made


@pytest.fixture(scope="module")
def asked_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a small release; nothing writes to it."""
    folder = tmp_path_factory.mktemp("candidate")
    publish_release(folder, ROWS)
    return folder


@pytest.fixture
def run_goldpan(
    asked_release: Path,
    model_server: HostileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan beside a lake with a release, and a server."""
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(asked_release / "lake"))
    monkeypatch.setenv("GOLDPAN_CANDIDATE__URL", f"{model_server.address}/v1")
    Path("key").write_text(KEY, encoding="utf-8")
    monkeypatch.setenv("GOLDPAN_CANDIDATE__KEY_FILE", "key")
    set_light_policy(Path(), monkeypatch)
    return runner(capsys)


def test_the_outputs_are_those_that_the_gate_reads(
    run_goldpan: Run, model_server: HostileServer
) -> None:
    """The cost is printed before, each row is asked once, and no canary is anywhere."""
    ran = run_goldpan(*ASK, "--price", "1", "10")
    assert ran.returncode == 0
    assert f"{ROWS} rows: {ROWS} calls to m, at most " in ran.stderr
    assert f"{ROWS} rows of support@1.0.0: {ROWS} answered" in ran.stdout
    assert f"served by: served-2026-11-01 ({ROWS} replies)" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [
        {"row", "response", "latency_ms", "cost_usd", "input_tokens", "output_tokens"}
    ] * ROWS
    written = b"".join(path.read_bytes() for path in Path().iterdir() if path.name != "key")
    for text in (CANARY, KEY):
        assert text.encode() not in written
        assert text not in ran.stdout + ran.stderr
    assert all(call.headers["authorization"] == f"bearer {KEY}" for call in model_server.seen)
    first = Path("out.jsonl").read_bytes()
    again = run_goldpan(*ASK, "--price", "1", "10", "--json")
    assert json.loads(again.stdout) == {
        "model": "m",
        "release": "support@1.0.0",
        "rows": ROWS,
        "answered": ROWS,
        "errors": {},
        "calls": 0,
        "models_served": {"served-2026-11-01": ROWS},
        "spent_usd": pytest.approx(160e-6 * ROWS),
    }
    assert (len(model_server.seen), Path("out.jsonl").read_bytes()) == (ROWS, first)


def test_a_row_that_called_an_unrecorded_tool_is_unknown_to_the_gate(run_goldpan: Run) -> None:
    """In each metric that it requires, and no error of the candidate."""
    assert run_goldpan(*ASK, "--price", "1", "10").returncode == 0
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    lines[0] = {"row": lines[0]["row"], "error": UNRECORDED, "cost_usd": 0.1}
    write_lines(Path("out.jsonl"), lines)
    Path("gate.yaml").write_text(GATE, encoding="utf-8")
    judged = [each for each in verdicts("faithful", every=99, rows=ROWS) if each["row"] != "t0000"]
    write_lines(Path("verdicts.jsonl"), judged)
    told = run_goldpan(
        "gate", "gate.yaml", "--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl", "--json"
    )
    outcomes = json.loads(told.stdout)["outcomes"]
    assert set(outcomes) == {"faithful", "error_rate", "latency_ms"}
    for name, counts in outcomes.items():
        assert (name, counts["candidate"]["unknown"]) == (name, 1)
        assert counts["candidate"]["error"] == 0


def test_what_is_wrong_is_said_before_anything_is_asked(
    run_goldpan: Run, model_server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget without prices, tools that are none, another model on the same file, a host."""
    Path("tools.json").write_text("{}", encoding="utf-8")
    for more, said in (
        (("--budget", "1"), "no price of m is known"),
        (("--tools", "tools.json"), "must be a list of tools"),
        (("--instructions", "none.txt"), "none.txt"),
        (("--max-tokens", "0"), "--max-tokens"),
    ):
        told = run_goldpan(*ASK, *more)
        assert (told.returncode, said in told.stderr) == (2, True), told.stderr
    assert model_server.seen == []
    assert run_goldpan(*ASK).returncode == 0
    other = run_goldpan(*ASK, "--max-tokens", "9")
    assert (other.returncode, "is of another run" in other.stderr) == (2, True)
    monkeypatch.setenv("GOLDPAN_CANDIDATE__URL", "https://models.example.com/v1")
    told = run_goldpan(*ASK)
    assert (told.returncode, "GOLDPAN_CANDIDATE__ALLOWED_HOSTS" in told.stderr) == (2, True)
    monkeypatch.delenv("GOLDPAN_CANDIDATE__URL")
    told = run_goldpan(*ASK)
    assert (told.returncode, "GOLDPAN_CANDIDATE__URL is not set" in told.stderr) == (2, True)


def test_a_budget_that_is_spent_is_said(run_goldpan: Run, model_server: HostileServer) -> None:
    """The rows that are left are errors; a larger budget goes on with them."""
    told = run_goldpan(*ASK, "--price", "1", "10", "--max-tokens", "20", "--budget", "0.0015")
    assert told.returncode == 0
    assert "it stops asking at $0.0015" in told.stderr
    assert "error: budget" in told.stdout
    assert "a larger --budget" in told.stdout
    asked = len(model_server.seen)
    assert 0 < asked < ROWS
    assert run_goldpan(*ASK, "--max-tokens", "20").returncode == 0
    assert len(model_server.seen) == ROWS
