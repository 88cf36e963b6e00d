"""The command decides as Python does: the same simulations, once as verdict lines.

`make chaos` has 200 of them.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gate_errors import BOUNDARIES, GateBoundary
from benchmarks.gate_worlds import GateWorld
from judges.gate.decision import decide_gate
from judges.gate.readings import GateRows
from judges.weighted_rows import cluster_numbers
from tests.batch.gate.world import ROWS, publish_release, session_of, trace_id, write_lines
from tests.servers.in_process import runner, work_in

SIMULATED = [each for each in BOUNDARIES if "claim" not in each.require]


def simulated(seed: int) -> tuple[GateBoundary, GateRows]:
    """Return one of the boundaries, with rows in the conversations of the release.

    The truth is on the bar, or so far from it that some ship and some are blocked.
    """
    boundary = SIMULATED[seed % len(SIMULATED)]
    world = GateWorld(np.random.default_rng(seed), ROWS)
    world.cluster = cluster_numbers([str(session_of(number)) for number in range(ROWS)])
    scale = {"latency p95": 1_000, "cost per success": 0.02}.get(boundary.name, 0.08)
    rows = boundary.draw(world, scale * (seed % 3 - 1))
    apps = ["support" if session_of(number) % 2 else "sales" for number in range(ROWS)]
    return boundary, replace(rows, segments={"app": apps})


def verdict_lines(rows: GateRows) -> list[dict[str, object]]:
    """Return what the rows say as lines of a file of verdicts."""
    lines: list[dict[str, object]] = []
    for side, held in (("candidate", rows.candidate), ("baseline", rows.baseline)):
        for name, readings in held.items():
            for number, state in enumerate(readings.states.tolist()):
                line: dict[str, object] = {"row": trace_id(number), "side": side, "metric": name}
                value = float(readings.values[number])
                lines.append(line | ({"value": value} if state == "value" else {"outcome": state}))
    return lines


@pytest.mark.parametrize("runs", [8, pytest.param(200, marks=pytest.mark.chaos)])
def test_the_command_decides_as_python_does(
    runs: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same decision, states and numbers, with the exit code of each."""
    publish_release(tmp_path)
    work_in(tmp_path, monkeypatch)
    run, decisions = runner(capsys), set()
    for seed in range(runs):
        boundary, rows = simulated(seed)
        write_lines(tmp_path / "verdicts.jsonl", verdict_lines(rows))
        limits = "judged: {at_most_unknown: 0.2, at_most_error: 0.05}\n"
        text = f"gate: s{seed}\nrelease: support@1\n{limits}{boundary.require}\n"
        (tmp_path / "gate.yaml").write_text(text, encoding="utf-8")
        ran = run("gate", "gate.yaml", "--verdicts", "verdicts.jsonl", "--json")
        expected = decide_gate(boundary.definition(1), rows).to_json()
        found = json.loads(ran.stdout)
        assert {key: found[key] for key in expected} == expected
        codes = {"ship": 0, "block": 1, "not_enough_evidence": 4, "cannot_tell": 5}
        assert ran.returncode == codes[expected["decision"]]
        decisions.add(expected["decision"])
    assert {"ship", "block", "not_enough_evidence"} <= decisions
