"""Replies of well-behaved servers on each wire, from which the faults are made."""

import json
from typing import Any, Final

from judges.outcome import JudgeOutcome
from judges.ways import Wire

SERVED_MODEL: Final = "served-2026-11-01"
PROBABILITY: Final[dict[JudgeOutcome, float]] = {"pass": 0.9, "fail": 0.1, "unknown": 0.5}
"""That the statement holds, for each verdict under the thresholds that are there unless set."""


def document(wire: Wire, verdict: JudgeOutcome) -> dict[str, Any]:
    """Return a reply that says a verdict."""
    return {"model": SERVED_MODEL, **_ANSWERS[wire](verdict), "usage": _USAGE[wire]}


def body(wire: Wire, verdict: JudgeOutcome) -> bytes:
    """Return the reply as bytes."""
    return json.dumps(document(wire, verdict)).encode()


def _chat(verdict: JudgeOutcome) -> dict[str, Any]:
    message = {"role": "assistant", "content": json.dumps({"verdict": verdict})}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def _decisions(verdict: JudgeOutcome) -> dict[str, Any]:
    probability = PROBABILITY[verdict]
    return {"answers": [{"type": "predicate", "name": "verdict", "probability": probability}]}


def _systemone(verdict: JudgeOutcome) -> dict[str, Any]:
    return {"answers": {"verdict": {"type": "noul", "noul": PROBABILITY[verdict]}}}


_ANSWERS: Final = {"chat": _chat, "decisions": _decisions, "systemone": _systemone}
_USAGE: Final[dict[str, dict[str, int]]] = {
    "chat": {"prompt_tokens": 120, "completion_tokens": 6},
    "decisions": {"input_tokens": 120, "output_tokens": 1},
    "systemone": {"input_tokens": 120, "output_tokens": 1},
}
