"""What the local judge sees of a trace: counts, and no words.

Texts are only counted and searched for a few fixed phrases, so that stand-ins of redaction change
nothing.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from judges.checks.tool_calls import is_failed_call, repeated_calls
from judges.judged_row import USER_ROLE, JudgedRow, message_calls
from schemas.records import Message, ToolCall

_READS: Final = re.compile(
    r"(?:get|list|search|find|lookup|look_up|fetch|read|query|retrieve|show|view|check|think|"
    r"calculate|compute|count|describe|validate|verify)(?:$|[^a-z])",
    re.IGNORECASE,
)
_HANDS_OVER: Final = re.compile(r"transfer.*(?:human|agent)|hand_?off|escalat", re.IGNORECASE)
_APOLOGY: Final = re.compile(
    r"\b(?:apologi[sz]e|apologies|sorry|unfortunately|regret)\b", re.IGNORECASE
)


class TraceCounts:
    """The parts of a row that the features count."""

    def __init__(self, row: JudgedRow) -> None:
        """Collect them: the whole conversation up to the response, and every tool call in it."""
        turns = row.turns
        listed = {call.id: call for call in row.trace.tool_calls}
        in_messages = [listed.pop(call.id, call) for call in message_calls(turns)]
        self.calls: Sequence[ToolCall] = [*in_messages, *listed.values()]
        self.handed_over = any(_HANDS_OVER.search(call.name) for call in self.calls)
        self.writes = [
            call
            for call in self.calls
            if not _READS.match(call.name) and not _HANDS_OVER.search(call.name)
        ]
        self.user: Sequence[str] = _texts(turns, USER_ROLE)
        response = row.trace.response or ""
        self.assistant: Sequence[str] = [*_texts(turns, "assistant"), *filter(None, [response])]
        self.response = response

    def matches(self, pattern: re.Pattern[str], texts: Sequence[str]) -> int:
        """Return how many texts match a pattern."""
        return sum(pattern.search(text) is not None for text in texts)


def _texts(turns: Sequence[Message], role: str) -> list[str]:
    return [turn.content for turn in turns if turn.role == role and turn.content]


def _log(count: float) -> float:
    return math.log1p(count)


FEATURES: Final[Mapping[str, Callable[[TraceCounts], float]]] = {
    "user turns": lambda c: _log(len(c.user)),
    "assistant turns": lambda c: _log(len(c.assistant)),
    "assistant length": lambda c: _log(sum(map(len, c.assistant))),
    "response length": lambda c: _log(len(c.response)),
    "apologies": lambda c: _log(c.matches(_APOLOGY, c.assistant)),
    "tool calls": lambda c: _log(len(c.calls)),
    "writes": lambda c: _log(len(c.writes)),
    "any write": lambda c: float(bool(c.writes)),
    "tool errors": lambda c: _log(sum(map(is_failed_call, c.calls))),
    "repeated calls": lambda c: _log(repeated_calls(c.calls)),
    "handed over": lambda c: float(c.handed_over),
}
"""The features by name, in the order of the model's weights."""


def features_of(row: JudgedRow) -> list[float]:
    """Return the features of a row, in the order of ``FEATURES``."""
    counts = TraceCounts(row)
    return [measure(counts) for measure in FEATURES.values()]
