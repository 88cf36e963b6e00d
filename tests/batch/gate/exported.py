"""Kept runs to export: one full of names that no tool takes as they are, one without figures."""

from typing import Any, Final

from batch.gate.gate_run import GateRun, RunInputs
from judges.gate.decision import GateDecision
from judges.gate.definition import parse_gate
from judges.gate.requirement import ChangedRows, RequirementResult

NAMES: Final = (
    "faithfulness",
    "retrieval.hit_rate",
    "retrieval_hit_rate",
    "retrieval-hit-rate",
    "retrieval..hit_rate",
    "agreement.faithfulness",
    "outcomes.faithfulness.candidate",
    "gate.decision",
    "gate",
    "decision",
    "x",
    "x.at_most",
    "x_",
    "a_3f9a1c02b7d4",
    "m" * 127,
    "m" * 126 + "n",
    "segments.plan.pro.faithfulness",
)
VALUES: Final = (
    "pro",
    "a b",
    "a_b",
    "a-b",
    "a/b",
    "a.b",
    "",
    ".",
    "..",
    "../../etc",
    "a\nb\u2028c",
    "nul\0",
    "nul\ufffd!",
    "Größe",
    "😀",
    "'; --",
    "=",
    "v" * 3_000,
    "v" * 3_001,
)
"""Values of segments: any text."""


def _result(number: int, name: str, **more: Any) -> RequirementResult:
    """Return a result with figures of its own, some of which there are not."""
    held: dict[str, Any] = {
        "name": name,
        "metric": name,
        "rule": "at_least",
        "bar": 0.85,
        "state": ("clears", "fails", "open")[number % 3],
        "estimate": 0.9 + number / 1_000 + 1e-16,
        "low": None if number % 4 == 1 else 0.8 + number / 7_000,
        "high": None if number % 5 == 2 else 0.95 + number / 3e5,
        "rows": 300 + number,
        "reviews": number % 3,
        "mde": None if number % 3 == 1 else 0.05 + number / 1e7,
        "missing_rows": None if number % 2 else 7,
        "missing_reviews": 0,
        "changed": ChangedRows(number, 2, 0.5, differs=False) if number % 6 == 0 else None,
    }
    return RequirementResult(**held | more)


def _unmeasured(name: str) -> RequirementResult:
    reason = f"there is no {name} of the candidate"
    return RequirementResult(name, name, "at_least", 0.5, "not_measured", reason)


def exotic_run() -> dict[str, Any]:
    """Return a run with 64 requirements, and with segments whose values are any text."""
    names = [*NAMES, *(f"metric_{number}" for number in range(63 - len(NAMES)))]
    required = [_result(number, name) for number, name in enumerate(names)]
    required.append(_result(63, "x.at_most", metric="x", rule="at_most", bar=0.99))
    required[40] = _unmeasured(names[40])
    segments = [
        _result(number, f"{metric} in {name}={value}", metric=metric, segment=(name, value))
        for metric in ("faithfulness", "retrieval.hit_rate")
        for name in ("plan", "segments.plan")
        for number, value in enumerate(VALUES)
    ]
    outcomes = {name: {"candidate": {"drawn": 300, "pass": 298, "error": 2}} for name in NAMES}
    return _document("not_enough_evidence", required, [*segments, segments[0]], outcomes)


def unmeasured_run() -> dict[str, Any]:
    """Return a run of which nothing was measured but one figure, with nothing else either."""
    required = [_unmeasured("faithfulness"), _result(1, "latency_p95_ms", rule="at_most")]
    return _document("cannot_tell", required, [], {})


def _document(
    decision: Any,
    required: list[RequirementResult],
    segments: list[RequirementResult],
    outcomes: dict[str, Any],
) -> dict[str, Any]:
    requires = "".join(f"  {each.metric}: {{at_least: .85}}\n" for each in required[:20])
    definition = parse_gate(f"gate: g-1_x\nrelease: support@1\nrequire:\n{requires}", "g")
    inputs = RunInputs(
        "g-1_x",
        "a" * 64,
        "support@1.0.0",
        "b" * 64,
        "c" * 64 if segments else None,
        None,
        None,
        None,
    )
    made = GateDecision(
        decision,
        tuple(required),
        tuple(segments),
        3,
        outcomes,
        looks=1,
        planned_looks=2,
        level=0.025,
    )
    judges: dict[Any, Any] = {"candidate": {"faithfulness": "ours, version 3"}} if segments else {}
    run = GateRun(inputs, definition, made, judges, b"", 300)
    return run.to_json("g-1_x/0123456789ab/1")
