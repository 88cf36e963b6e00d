"""Turns a stored row into a bounded question: what is asked, and the data it is asked about.

Only the fields in ``reads`` leave. The data is one JSON document on one line, between two lines
that read the fence. The fence is derived from the digest of the data, so that no text can hold its
own fence; and no text can begin a line, since JSON escapes line ends. What a chat template would
take for a token of its own, such as ``<|im_end|>`` or ``[INST]``, is escaped too. So judged text
stays data, whatever it says.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from judges.definition import AppliesRule, InputLimits, JudgeDefinition, JudgeField, digest_of
from judges.judged_row import INSTRUCTION_ROLES, JudgedRow
from judges.outcome import JudgeAnswer, judge_error
from judges.template import TEMPLATE
from schemas.records import Message, Retrieved, ToolCall

_TEXT_FIELDS: Final[tuple[JudgeField, ...]] = ("question", "response", "expected_response")
"""The fields without which there is nothing to judge."""
_BYTES_PER_TOKEN: Final = 3
_CONTROL_TOKEN: Final = re.compile(r"<(?![A-Z][A-Z_]{1,39}:[a-z2-7]+>)|\[(?=/?[A-Z_]+\])")
"""The first sign of what could be a token of a chat template; a stand-in of redaction is none."""
_NOT_PLAIN: Final = re.compile(r"[^\x00-\x7e]")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that nobody sees, and that have carried instructions."""
LEFT_OUT: Final = "turns_left_out"
"""The key of the data that says how many of the oldest messages were cut."""


@dataclass(frozen=True, slots=True)
class UnaskedRow:
    """A row that there is nothing to ask about: its outcome, and the digest of what was read."""

    answer: JudgeAnswer
    input_digest: str


@dataclass(frozen=True, slots=True, repr=False)
class JudgeQuestion:
    """A question about one row.

    ``data`` is one line of JSON, its digest is ``input_digest`` (64 hex digits). ``tokens`` is an
    upper estimate of the whole input. ``turns_left_out`` counts the messages that were cut.
    """

    asks: str
    data: str
    input_digest: str
    fence: str
    tokens: int
    turns_left_out: int = 0

    @property
    def instructions(self) -> str:
        """Return what a chat model is told before it sees the data."""
        return TEMPLATE.format(asks=self.asks, fence=self.fence)

    @property
    def fenced(self) -> str:
        """Return the data between the two lines of the fence."""
        return f"{self.fence}\n{self.data}\n{self.fence}"


def ask(definition: JudgeDefinition, row: JudgedRow) -> JudgeQuestion | UnaskedRow:
    """Return the question about a row; or its outcome, where there is nothing to ask.

    That is ``not_applicable`` by the rule, and the errors ``missing_input`` and ``too_long``.
    """
    document: dict[str, Any] = {name: _READERS[name](row) for name in definition.reads}
    digest = input_digest_of(document)
    if not applies_to(definition.applies, row):
        return UnaskedRow(JudgeAnswer("not_applicable"), digest)
    if any(document.get(name, "") is None for name in _TEXT_FIELDS):
        return UnaskedRow(judge_error("missing_input"), digest)
    question = _fitted(definition, document)
    return UnaskedRow(judge_error("too_long"), digest) if question is None else question


def applies_to(rule: AppliesRule, row: JudgedRow) -> bool:
    """Return whether a rule includes a row."""
    trace = row.trace
    return (
        all(_has(row, name) for name in rule.has)
        and not any(_has(row, name) for name in rule.lacks)
        and (not rule.apps or trace.app in rule.apps)
        and (not rule.environments or trace.environment in rule.environments)
        and (not rule.status or trace.status in rule.status)
        and all(trace.segments.get(key) in values for key, values in rule.segments.items())
    )


def input_digest_of(document: Mapping[str, Any]) -> str:
    """Return the digest (64 hex digits) of the data that a judge reads."""
    return digest_of(["input", encode_data(document)])


def input_tokens(text: str) -> int:
    """Return an upper estimate of a text's tokens: its UTF-8 bytes over three, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def encode_data(document: Mapping[str, Any]) -> str:
    """Return a document as one line of JSON in which nothing is invisible or a control token.

    It reads back as the same document.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = _CONTROL_TOKEN.sub(lambda match: _escape(match[0]), text)
    return _NOT_PLAIN.sub(lambda match: _visible(match[0]), escaped)


def fence_of(input_digest: str) -> str:
    """Return the line that stands before and after data of this digest."""
    return f"=== {hashlib.sha256(f'fence {input_digest}'.encode()).hexdigest()[:32]} ==="


def _fitted(definition: JudgeDefinition, document: dict[str, Any]) -> JudgeQuestion | None:
    """Return the question, without the oldest turns where these are too many; None if too long."""
    limits, turns = definition.limits, document.get("conversation") or []
    question = _question(definition, document, 0)
    if question.tokens <= limits.tokens:
        return question
    if not _may_cut(limits) or not turns:
        return None
    # The least number of messages to leave out, by bisection: a question only gets shorter.
    low, high = 0, len(turns)
    while low < high:
        middle = (low + high) // 2
        if _question(definition, _cut(document, middle), middle).tokens <= limits.tokens:
            high = middle
        else:
            low = middle + 1
    question = _question(definition, _cut(document, low), low)
    return question if question.tokens <= limits.tokens else None


def _may_cut(limits: InputLimits) -> bool:
    return limits.cut == "oldest_turns"


def _cut(document: Mapping[str, Any], left_out: int) -> dict[str, Any]:
    turns = document["conversation"]
    return {**document, "conversation": turns[left_out:], LEFT_OUT: left_out}


def _question(
    definition: JudgeDefinition, document: Mapping[str, Any], left_out: int
) -> JudgeQuestion:
    data = encode_data(document)
    digest = input_digest_of(document)
    fence = fence_of(digest)
    told = TEMPLATE.format(asks=definition.asks, fence=fence)
    tokens = input_tokens(told) + input_tokens(data) + 2 * input_tokens(fence)
    return JudgeQuestion(definition.asks, data, digest, fence, tokens, left_out)


def _has(row: JudgedRow, name: JudgeField) -> bool:
    content = _READERS[name](row)
    return bool(content.strip()) if isinstance(content, str) else bool(content)


def _instructions(row: JudgedRow) -> list[str]:
    return [m.content for m in row.trace.messages if m.role in INSTRUCTION_ROLES and m.content]


def _conversation(row: JudgedRow) -> list[dict[str, Any]]:
    return [_turn(message) for message in row.earlier_turns]


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role}
    if message.content is not None:
        turn["content"] = message.content
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _retrieved(row: JudgedRow) -> list[dict[str, Any]]:
    return [_document(document) for document in row.trace.retrieved]


def _document(document: Retrieved) -> dict[str, Any]:
    return {"document_id": document.document_id, "text": document.text}


def _tool_calls(row: JudgedRow) -> list[dict[str, Any]]:
    return [_tool_call(call) for call in row.tool_calls]


def _tool_call(call: ToolCall) -> dict[str, Any]:
    shown = {"name": call.name, "arguments": call.arguments, "result": call.result}
    return {**shown, "error": call.error} if call.error is not None else shown


def _error(row: JudgedRow) -> str | None:
    trace = row.trace
    return trace.error_type or ("error" if trace.status == "error" else None)


_READERS: Final[Mapping[JudgeField, Callable[[JudgedRow], Any]]] = {
    "instructions": _instructions,
    "conversation": _conversation,
    "question": lambda row: row.question,
    "response": lambda row: row.trace.response,
    "retrieved": _retrieved,
    "tool_calls": _tool_calls,
    "error": _error,
    "expected_response": lambda row: row.expected_response,
}


def _visible(char: str) -> str:
    return _escape(char) if unicodedata.category(char) in _INVISIBLE else char


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
