"""The places of a record that hold text, by role and field, and the ids that are kept."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tests.redact.kit import NOW, minimal
from tests.redact.lines import LineSchema

Record: TypeAlias = dict[str, Any]
ROLES = ("system", "user", "human", "User", "assistant", "ai", "developer", "function", "tool")


def _message(role: str) -> Callable[[str], Record]:
    return lambda text: minimal(messages=[{"role": role, "content": text}])


def _parts(role: str) -> Callable[[str], Record]:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    return lambda text: minimal(
        messages=[{"role": role, "content": json.dumps([{"type": "text", "text": text}, image])}]
    )


def _call(**fields: str) -> Record:
    return minimal(tool_calls=[{"id": "c1", "name": "look_up", "arguments": "{}", **fields}])


def _asked(text: str) -> Record:
    call = {"id": "c1", "name": "look_up", "arguments": json.dumps({"q": text})}
    return minimal(messages=[{"role": "assistant", "tool_calls": [call]}])


def _feedback(**fields: Any) -> Record:
    base = {"feedback_id": "f1", "trace_id": "t", "kind": "comment", "actor": "end_user"}
    return {**base, "occurred_at": NOW, **fields}


TRACE_FIELDS: Mapping[str, Callable[[str], Record]] = {
    **{f"message of {role}": _message(role) for role in ROLES},
    **{f"content part of {role}": _parts(role) for role in ("user", "human", "assistant")},
    "name in a message": lambda text: minimal(
        messages=[{"role": "tool", "content": "ok", "name": text}]
    ),
    "arguments in a message": _asked,
    "arguments of a call": lambda text: _call(arguments=json.dumps({"q": text})),
    "result of a call": lambda text: _call(result=text),
    "error of a call": lambda text: _call(error=text),
    "response": lambda text: minimal(response=text),
    "retrieved text": lambda text: minimal(retrieved=[{"document_id": "d1", "text": text}]),
    "error message": lambda text: minimal(error_message=text),
    "attribute": lambda text: minimal(attributes={"note": text}),
}
FEEDBACK_FIELDS: Mapping[str, Callable[[str], Record]] = {
    "comment": lambda text: _feedback(comment=text),
    "corrected response": lambda text: _feedback(corrected_response=text),
    "attribute of feedback": lambda text: _feedback(attributes={"note": text}),
}
ID_FIELDS: Mapping[str, Callable[[str], Record]] = {
    "session id": lambda text: minimal(session_id=text),
    "request id": lambda text: minimal(request_id=text),
    "document id": lambda text: minimal(retrieved=[{"document_id": text, "text": "see annex"}]),
    "id of a call": lambda text: minimal(
        messages=[{"role": "tool", "content": "ok", "tool_call_id": text}]
    ),
}
"""Fields that are stored unchanged unless they hold something personal."""
TEXT = "text"


def field_names() -> list[str]:
    """Return the names of all places of text, the schema `text` included."""
    return [TEXT, *TRACE_FIELDS, *FEEDBACK_FIELDS]


def schema_of(field: str) -> LineSchema:
    """Return the schema of the record that a place belongs to."""
    if field == TEXT:
        return "text"
    return "feedback" if field in FEEDBACK_FIELDS else "trace"


def record_with(field: str, text: str) -> Record:
    """Return a record with a text in one place."""
    if field == TEXT:
        return {"id": "x", "text": text}
    makers = {**TRACE_FIELDS, **FEEDBACK_FIELDS, **ID_FIELDS}
    return makers[field](text)


def with_echo(field: str, record: Record, name: str) -> Record:
    """Return a trace whose answer greets a person by a name from elsewhere in it."""
    if schema_of(field) != "trace" or field == "response":
        return record
    return {**record, "response": f"All done, {name}, is there anything else?"}
