"""A row of a release as a chat: what a candidate is asked, and what its tools answer."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from judges.checks.tool_calls import canonical_arguments, read_arguments
from judges.judged_row import INSTRUCTION_ROLES, USER_ROLE, JudgedRow
from judges.wires import PATHS, WireRequest
from schemas.records import Message, ToolCall

Tool = Mapping[str, Any]
"""The definition of a tool, as servers take it in `tools`."""
_CHAT: Final = PATHS["chat"]
_TOKENS_BESIDE: Final = 16
"""Of each message and tool, at most: what servers put around them."""


@dataclass(frozen=True, slots=True, repr=False)
class CandidatePlan:
    """What is asked of a candidate: a model, with its limit of tokens for one reply.

    ``instructions`` take the place of the system messages of rows, None keeps those. ``tools`` are
    those that the model may call.
    """

    model: str
    max_tokens: int
    instructions: str | None = None
    tools: Sequence[Tool] = ()

    def request(
        self, row: JudgedRow, turns: Iterable[tuple[str | None, Sequence[ToolCall]]]
    ) -> WireRequest | None:
        """Return the next request for a row; None if it has no message of a user.

        ``turns`` are the replies so far that called tools: their text, and the calls.
        """
        messages = _asked(row.trace.messages)
        if not messages:
            return None
        if self.instructions is not None:
            kept = [message for message in messages if message.role not in INSTRUCTION_ROLES]
            messages = [Message(role="system", content=self.instructions), *kept]
        chat = [_chat_message(message) for message in messages]
        for text, calls in turns:
            chat += _called(text, calls)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": chat,
            "max_completion_tokens": self.max_tokens,
        }
        if self.tools:
            body["tools"] = list(self.tools)
        return WireRequest(_CHAT, body)

    def input_tokens(self, request: WireRequest) -> int:
        """Return an upper estimate of the tokens of a request."""
        pieces = len(request.body["messages"]) + len(self.tools) + 1
        keys = len(json.dumps(list(self.tools))) // 3
        return request.tokens + keys + pieces * _TOKENS_BESIDE


def tools_of(rows: Iterable[JudgedRow]) -> list[Tool]:
    """Return a definition for each tool that any row calls, with the arguments' names as seen."""
    names: dict[str, set[str]] = {}
    for row in rows:
        for call in row.tool_calls:
            names.setdefault(call.name, set()).update(read_arguments(call) or {})
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": {key: {} for key in sorted(keys)}},
            },
        }
        for name, keys in sorted(names.items())
    ]


class RecordedTools:
    """The tools of a row: each answers a call that is equal to a recorded one."""

    def __init__(self, row: JudgedRow) -> None:
        self._recorded: dict[tuple[str, str], ToolCall] = {}
        for call in row.tool_calls:
            if call.result is not None or call.error is not None:
                self._recorded.setdefault(_key(call), call)

    def answer(self, call: ToolCall) -> ToolCall | None:
        """Return a call with the recorded outcome; None if no equal one was recorded.

        Arguments are equal if they are the same JSON, whatever the order of their keys.
        """
        found = self._recorded.get(_key(call))
        if found is None:
            return None
        return msgspec.structs.replace(
            call, result=found.result, error=found.error, latency_ms=found.latency_ms
        )


def _asked(messages: Sequence[Message]) -> list[Message]:
    """Return the messages up to the last one of a user: what followed was the answer."""
    places = [at for at, message in enumerate(messages) if message.role == USER_ROLE]
    return list(messages[: places[-1] + 1]) if places else []


def _chat_message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        said["name"] = message.name
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        said["tool_calls"] = [_function(c.id, c.name, c.arguments) for c in message.tool_calls]
    return said


def _called(text: str | None, calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Return the message that calls tools, and a message with the outcome of each."""
    return [
        {
            "role": "assistant",
            "content": text or None,
            "tool_calls": [_function(c.id, c.name, c.arguments) for c in calls],
        },
        *(
            {
                "role": "tool",
                "tool_call_id": call.id,
                "content": call.error or "" if call.result is None else call.result,
            }
            for call in calls
        ),
    ]


def _function(id_: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def _key(call: ToolCall) -> tuple[str, str]:
    return call.name, canonical_arguments(call.arguments.strip())
