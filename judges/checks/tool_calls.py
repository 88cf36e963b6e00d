"""Checks of tool calls: their arguments, errors that nobody took up, and calls made twice."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from judges.checks.tool_schemas import fits, tool_schemas
from judges.judged_row import JudgedRow
from judges.outcome import JudgeAnswer
from judges.strict_json import NotJsonError, read_one_value
from schemas.records import ToolCall

_ERROR_TEXT: Final = re.compile(r"\s*(?:error|exception|traceback)\b", re.IGNORECASE)
_FAILED_VALUES: Final = frozenset({"error", "failed", "failure"})
_ADMITS: Final = re.compile(
    r"\b(?:error|errors|unable|could ?n[o']t|could not|cannot|can't|can not|failed|failure|problem|"
    r"problems|issue|issues|unfortunately|sorry|apologi[sz]e|apologies|not (?:able|available|"
    r"possible|found|enough)|no longer|did ?n[o']t|did not|does ?n[o']t|does not|invalid)\b",
    re.IGNORECASE,
)


def check_tool_arguments(row: JudgedRow) -> JudgeAnswer:
    """Pass if the arguments of every call are one JSON object that fits its tool.

    A tool is known by its JSON schema, where the row carries the definitions of the tools that were
    offered (`judges.checks.tool_schemas`); a call of a tool that was not offered fails then.
    Without definitions only the JSON is checked. A row without calls is not applicable.
    """
    calls = row.tool_calls
    if not calls:
        return JudgeAnswer("not_applicable")
    schemas = tool_schemas(row.trace.attributes)
    return JudgeAnswer("pass" if all(is_valid_call(call, schemas) for call in calls) else "fail")


def check_tool_errors(row: JudgedRow) -> JudgeAnswer:
    """Pass if no error of a tool was left alone.

    An error is taken up by a later call of that tool without an error, or by an answer that admits
    that something did not work. A row without calls is not applicable.
    """
    calls = row.tool_calls
    if not calls:
        return JudgeAnswer("not_applicable")
    left_alone = [
        call
        for at, call in enumerate(calls)
        if is_failed_call(call)
        and not any(
            later.name == call.name and not is_failed_call(later) for later in calls[at + 1 :]
        )
    ]
    admitted = _ADMITS.search(row.trace.response or "") is not None
    return JudgeAnswer("pass" if admitted or not left_alone else "fail")


def check_repeated_calls(row: JudgedRow) -> JudgeAnswer:
    """Pass if no call was made twice with the same arguments; after an error it may be.

    Calls since the last message of the user count. A row without calls is not applicable.
    """
    calls = row.tool_calls
    if not calls:
        return JudgeAnswer("not_applicable")
    return JudgeAnswer("fail" if repeated_calls(calls) else "pass")


def repeated_calls(calls: Sequence[ToolCall]) -> int:
    """Return how many calls repeat an earlier one that did not fail."""
    made: set[tuple[str, str]] = set()
    repeated = 0
    for call in calls:
        key = (call.name, canonical_arguments(call.arguments))
        repeated += key in made
        if not is_failed_call(call):
            made.add(key)
    return repeated


def is_failed_call(call: ToolCall) -> bool:
    """Return whether a tool says that it failed: by its error, or by what it returned.

    A result that begins with the word error, or is an object with a key ``error`` that is not
    empty or a ``status`` that says so.
    """
    if call.error is not None:
        return True
    result = call.result
    if not result:
        return False
    if _ERROR_TEXT.match(result):
        return True
    if not result.lstrip().startswith("{"):
        return False
    try:
        value = json.loads(result)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and (
        bool(value.get("error")) or str(value.get("status", "")).casefold() in _FAILED_VALUES
    )


def canonical_arguments(arguments: str) -> str:
    """Return arguments with keys in order, so that equal calls have equal text."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def read_arguments(call: ToolCall) -> Mapping[str, Any] | None:
    """Return the arguments of a call; None if they are not one JSON object.

    No arguments at all count as an empty object.
    """
    if not call.arguments.strip():
        return {}
    try:
        value = read_one_value(call.arguments)
    except NotJsonError:
        return None
    return value if isinstance(value, dict) else None


def is_valid_call(call: ToolCall, schemas: Mapping[str, Mapping[str, Any]] | None) -> bool:
    """Return whether the arguments are one JSON object that fits the tool's schema, if known."""
    arguments = read_arguments(call)
    if arguments is None or not call.name:
        return False
    if schemas is None:
        return True
    schema = schemas.get(call.name)
    return schema is not None and fits(arguments, schema)
