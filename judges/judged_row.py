"""A stored row as a judge sees it: the trace, and what a release knows besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from schemas.records import EARLIEST_MICROS, Message, ToolCall, Trace
from schemas.times import to_micros

USER_ROLE: Final = "user"
TOOL_ROLES: Final = ("tool", "function")
INSTRUCTION_ROLES: Final = ("system", "developer")


_UNSAID: Final[Mapping[str, Any]] = {"app": "", "status": "ok", "started_at": EARLIEST_MICROS}
"""What a row from elsewhere may leave out, though each trace has it."""


class BadRowError(ValueError):
    """A row is not one of a trace. The message names columns and never holds content."""


class ExpectedCall(msgspec.Struct, frozen=True):
    """A tool call that would have been right; ``arguments`` is JSON."""

    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class JudgedRow:
    """A row to be judged.

    ``expected_response``, ``expected_documents`` (ids of documents) and ``expected_calls`` are only
    known of rows of a release; None where nobody said. ``revision`` is that of an assembled trace.
    """

    trace: Trace
    expected_response: str | None = None
    expected_documents: tuple[str, ...] | None = None
    revision: int | None = None
    expected_calls: tuple[ExpectedCall, ...] | None = None

    @property
    def turns(self) -> list[Message]:
        """Return the messages without the system's, oldest first."""
        return [m for m in self.trace.messages if m.role not in INSTRUCTION_ROLES]

    @property
    def question(self) -> str | None:
        """Return the text of the last message of the user."""
        asked = [m.content for m in self.trace.messages if m.role == USER_ROLE]
        return asked[-1] if asked else None

    @property
    def earlier_turns(self) -> list[Message]:
        """Return the turns before the last message of the user."""
        turns = self.turns
        return turns[: _last_user(turns)]

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Return the tools that ran for the last message of the user, in order.

        They are the calls in the messages after it, with the results there, and the calls that the
        trace lists itself. A call that is in both counts once, as the trace lists it.
        """
        turns = self.turns
        recent = turns[_last_user(turns) :]
        listed = {call.id: call for call in self.trace.tool_calls}
        calls = [listed.pop(call.id, call) for call in message_calls(recent)]
        return [*calls, *listed.values()]


def judged_row_of(row: Mapping[str, Any]) -> JudgedRow:
    """Return a row of table ``traces``, of a release or of a file of JSON lines.

    Columns that it lacks count as empty, so that an answer from elsewhere can be judged too: it
    needs a ``trace_id``. A map may be a mapping or pairs. Raises BadRowError.
    """
    fields = dict(_UNSAID)
    fields |= {name: row[name] for name in Trace.__struct_fields__ if row.get(name) is not None}
    try:
        for name in ("segments", "attributes"):
            if name in fields:
                fields[name] = {k: v for k, v in dict(fields[name]).items() if v is not None}
        for name in ("messages", "retrieved", "tool_calls"):
            if name in fields:
                fields[name] = [_without_nulls(item) for item in fields[name]]
        started = fields.get("started_at")
        if isinstance(started, datetime):
            fields["started_at"] = to_micros(started)
        trace = msgspec.convert(fields, Trace)
        expected, documents = row.get("expected_response"), row.get("expected_documents")
        calls = row.get("expected_calls")
        return JudgedRow(
            trace,
            msgspec.convert(expected, str | None),
            None if documents is None else tuple(msgspec.convert(documents, list[str])),
            msgspec.convert(row.get("revision"), int | None),
            None if calls is None else tuple(msgspec.convert(calls, list[ExpectedCall])),
        )
    except msgspec.ValidationError as error:
        # The text of the error has the path of the field after the reason, and no values.
        place = str(error).rpartition(" - at ")[2] or "the row"
        raise BadRowError(f"not a row of a trace: {place}") from None
    except (TypeError, ValueError, AttributeError):
        raise BadRowError("not a row of a trace") from None


def message_calls(messages: list[Message]) -> list[ToolCall]:
    """Return the tool calls in messages, each with the content of the message that answers it."""
    results: dict[str, list[str | None]] = {}
    for message in messages:
        if message.role in TOOL_ROLES and message.tool_call_id is not None:
            results.setdefault(message.tool_call_id, []).append(message.content)
    calls = []
    for message in messages:
        for call in message.tool_calls:
            answers = results.get(call.id)
            calls.append(
                ToolCall(
                    id=call.id,
                    name=call.name,
                    arguments=call.arguments,
                    result=answers.pop(0) if answers else None,
                )
            )
    return calls


def _last_user(turns: list[Message]) -> int:
    places = [at for at, message in enumerate(turns) if message.role == USER_ROLE]
    return places[-1] if places else 0


def _without_nulls(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    present = {key: value for key, value in item.items() if value is not None}
    if "tool_calls" in present:
        present["tool_calls"] = [_without_nulls(call) for call in present["tool_calls"]]
    return cast("dict[str, Any]", present)
