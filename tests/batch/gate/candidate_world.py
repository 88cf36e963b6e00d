"""A candidate's run in memory: rows with recorded tools, and a model that a function plays."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from batch.gate.candidate_chat import CandidatePlan, tools_of
from batch.gate.candidate_run import CandidateAnswerer, CandidateRun, CandidateTerms
from batch.gate.candidate_work import CandidateWork, RunIdentity
from batch.gate.gate_lines import CandidateLine
from batch.judge.client import Delivery
from judges.judged_row import JudgedRow
from judges.wires import WireRequest
from otel.price_table import ModelPrice
from redact.pipeline.factory import build_redactor
from redact.pipeline.redactor import Redactor
from redact.policies.policy import parse_policy
from schemas.records import Message, ToolCall, Trace
from tests.redact.kit import KEYS
from tests.redact.light_policy import LIGHT

CANARY: Final = "zaphod.canary@example.org"
PRICE: Final = ModelPrice(input=1.0, output=10.0)
SERVED: Final = "served-2026-11-01"
NOW: Final = 1_796_000_000_000_000
TOOL: Final = "opening_hours"
IDENTITY: Final = RunIdentity(model="m", release="r", settings={})
SLOTS: Final = 4
"""Calls in flight."""

Reply = Callable[[str, WireRequest], Delivery]


def row_of(number: int) -> JudgedRow:
    """Return a row; every third has no tools, the others one recorded call."""
    call = ToolCall(id="t1", name=TOOL, arguments=f'{{"day": {number}, "at": "x"}}', result="nine")
    trace = Trace(
        trace_id=f"t{number:04}",
        app="support",
        started_at=NOW,
        status="ok",
        messages=[
            Message(role="system", content="Be short."),
            Message(role="user", content=f"It is case {number}. When do you open?"),
        ],
        response="At nine.",
        tool_calls=[call] if number % 3 else [],
    )
    return JudgedRow(trace)


def rows_of(count: int) -> list[JudgedRow]:
    """Return so many rows."""
    return [row_of(number) for number in range(count)]


def body_of(
    text: str | None, calls: Sequence[tuple[str, str]] = (), usage: tuple[int, int] = (60, 10)
) -> bytes:
    """Return the body of a reply with a text, or with calls of tools."""
    listed = [
        {"id": CANARY, "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in calls
    ]
    message = {"role": "assistant", "content": text} | ({"tool_calls": listed} if listed else {})
    document = {
        "model": SERVED,
        "choices": [{"message": message, "finish_reason": "tool_calls" if listed else "stop"}],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]},
    }
    return json.dumps(document).encode()


def plays(row: str, request: WireRequest) -> Delivery:
    """Call the tool as recorded in rows 1, 4, …, in another way in 2, 5, …; then name a canary."""
    number, body = int(row[1:]), request.body
    if number % 3 and body["messages"][-1]["role"] == "user":
        arguments = {"at": "x", "day": number if number % 3 == 1 else -1}
        return Delivery(body_of(None, [(TOOL, json.dumps(arguments))]), None, 200, 1, 100.0)
    return Delivery(body_of(f"Row {number}: ask {CANARY}."), None, 200, 1, 100.0)


@dataclass
class PlayedModel:
    """A server with some calls in flight; ``asked`` are the rows of its calls, in order."""

    reply: Reply = plays
    asked: list[str] = field(default_factory=list)
    requests: list[WireRequest] = field(default_factory=list)

    def send_from(
        self,
        take: Callable[[], tuple[str, WireRequest] | None],
        on_delivery: Callable[[str, Delivery], None],
    ) -> None:
        """Take up to `SLOTS` calls, and answer the oldest."""
        flying: deque[tuple[str, WireRequest]] = deque()
        while True:
            while len(flying) < SLOTS and (taken := take()) is not None:
                self.ask(taken[0])
                self.requests.append(taken[1])
                flying.append(taken)
            if not flying:
                return
            row, request = flying.popleft()
            on_delivery(row, self.reply(row, request))

    def ask(self, row: str) -> None:
        """Note down a call that has left."""
        self.asked.append(row)


def light_redactor() -> Redactor:
    """Return a redactor that needs no model for names."""
    return build_redactor(parse_policy(LIGHT, "light.yaml"), KEYS)


def run_rows(
    file: Path,
    rows: Sequence[JudgedRow],
    answerer: CandidateAnswerer,
    redactor: Redactor,
    **terms: Any,
) -> dict[str, CandidateLine]:
    """Run over rows on a work file."""
    plan = CandidatePlan("m", 50, tools=tools_of(rows))
    with CandidateWork(file, IDENTITY) as work:
        all_terms = CandidateTerms(
            **{"price": PRICE, "budget_usd": None, "now": lambda: NOW} | terms
        )
        return CandidateRun(plan, rows, work, redactor, all_terms).run(answerer)


def spent(file: Path) -> float:
    """Return what a work file says was spent at most."""
    with CandidateWork(file, IDENTITY) as work:
        return work.spent_usd
