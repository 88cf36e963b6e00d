"""Definitions and rows for the tests of judges."""

import json
from typing import Any

from judges.definition import JudgeDefinition, parse_judge
from judges.judged_row import JudgedRow, judged_row_of
from judges.ways import ChatWay, DecisionWay

STARTED: int = 1_700_000_000_000_000

DEFINITION = """\
judge: faithfulness
version: 3
asks: Every statement of the answer is supported by the documents or tool results.
applies: {has: [retrieved]}
reads: [question, response, retrieved, tool_calls]
limits: {tokens: 6000, cut: oldest_turns}
by:
  - {decision: gpt-6-luna, url_env: GOLDPAN_JUDGES__URL}
  - {chat: gpt-5.4-2026-08-01}
  - {check: citations}
decide: {pass_at_most: .2, fail_at_least: .7}
repeat: {share: .05, times: 2}
failure_modes: [unsupported, contradicts, wrong_document, invented_number]
cost: {input_per_million: 0.10, output_per_million: 0}
"""

CHAT = ChatWay(chat="gpt-5.4-2026-08-01")
DECISIONS = DecisionWay(decision="gpt-6-luna")
SYSTEMONE = DecisionWay.model_validate({"decision": "jev-1.13.0", "wire": "systemone"})


def definition(text: str = DEFINITION, /, **changes: str) -> JudgeDefinition:
    """Return a definition, with whole lines replaced by the key that they begin with."""
    lines = text.splitlines()
    for key, line in changes.items():
        lines = [line if each.startswith(f"{key}:") else each for each in lines]
    return parse_judge("\n".join(lines), "judge.yaml")


def row(**fields: Any) -> JudgedRow:
    """Return a row with a question, an answer and a document, unless fields say otherwise."""
    return judged_row_of(
        {
            "trace_id": "t1",
            "app": "support",
            "started_at": STARTED,
            "status": "ok",
            "messages": [
                {"role": "system", "content": "You help."},
                {"role": "user", "content": "When do you open?"},
            ],
            "response": "At nine [1].",
            "retrieved": [{"document_id": "hours", "text": "We open at nine."}],
            **fields,
        }
    )


def call(name: str, arguments: Any, id_: str = "c1", **fields: Any) -> dict[str, Any]:
    """Return a tool call of a trace."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": id_, "name": name, "arguments": text, **fields}


def chat_body(content: Any, **fields: Any) -> bytes:
    """Return a reply of a chat server whose message has this content."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **fields}
    usage = {"prompt_tokens": 120, "completion_tokens": 6}
    return json.dumps({"model": "served-1", "choices": [choice], "usage": usage}).encode()


def decision_body(answer: Any) -> bytes:
    """Return a reply of ``/v1/decisions`` with one answer."""
    return json.dumps({"model": "served-1", "answers": [answer]}).encode()


def systemone_body(answers: Any) -> bytes:
    """Return a reply of ``/v1/systemone``."""
    return json.dumps({"model": "served-1", "answers": answers}).encode()
