"""Reads chat messages in the shapes that SDKs write: OpenAI, OTel parts, OpenInference, LangChain,
Anthropic, Gemini. Each becomes messages of the contract.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from otel.json_documents import parse_json, parse_object, write_json

ROLES: Final = {
    "human": "user",
    "HumanMessage": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "model": "assistant",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
    "function": "tool",
}
_WRAPPERS: Final = ("message", "kwargs", "data")
_CALL_TYPES: Final = frozenset({"tool_call", "tool_use", "function_call", "toolCall"})
_RESULT_TYPES: Final = frozenset(
    {"tool_call_response", "tool_result", "function_call_output", "toolResult"}
)


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call of a tool as the model wrote it. ``id`` is empty if the model gave none."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message in the form of the contract."""

    role: str
    content: str | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: tuple[ToolRequest, ...] = ()
    finish_reason: str | None = None
    lost_parts: bool = False


def read_messages(value: Any, role: str = "user") -> list[ChatMessage]:
    """Return the messages in a value: a list, an object that holds one, or plain text.

    ``role`` counts where a message names none.
    """
    value = parse_object(value)
    if isinstance(value, str):
        return [ChatMessage(role, value)]
    if isinstance(value, dict):
        nested = _nested_messages(value)
        if nested is not None:
            return read_messages(nested, role)
        return list(_read_message(value, role)) if _is_message(value) else []
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], list):
            return read_messages(value[0], role)
        return [message for item in value for message in _read_item(item, role)]
    return []


def _nested_messages(value: Mapping[str, Any]) -> Any:
    for key in ("messages", "contents", "input", "prompts"):
        nested = value.get(key)
        is_input = isinstance(nested, list) or (key == "input" and isinstance(nested, str))
        if nested and is_input and (key != "contents" or "role" not in value):
            return nested
    return None


def _is_message(value: Mapping[str, Any]) -> bool:
    return bool(
        {"role", "content", "parts", "tool_calls", "message", "kwargs", "text"} & value.keys()
    )


def _read_item(item: Any, role: str) -> Iterator[ChatMessage]:
    item = parse_object(item)
    if isinstance(item, str):
        yield ChatMessage(role, item)
    elif isinstance(item, dict):
        yield from _read_message(item, role)


def _read_message(value: Mapping[str, Any], default_role: str) -> Iterator[ChatMessage]:
    finish = _text_or_none(value.get("finish_reason"))
    if "id" in value and isinstance(value["id"], list) and value["id"]:  # LangChain's class path
        default_role = ROLES.get(str(value["id"][-1]), default_role)
    for wrapper in _WRAPPERS:
        inner = value.get(wrapper)
        if isinstance(inner, dict):
            kind = value.get("type")
            value = {**({"type": kind} if wrapper == "data" else {}), **inner}
    if _type_of(value) in _RESULT_TYPES:
        yield _read_result(value)
        return
    role = str(value.get("role") or _role_of_type(_type_of(value)) or default_role)
    role = ROLES.get(role, role)
    parts = _ContentParts(_content_of(value))
    yield from parts.results
    calls = (*_read_calls(value.get("tool_calls")), *parts.calls, *_bare_call(value))
    call_id = _text_or_none(value.get("tool_call_id"))
    if role == "tool":
        call_id = call_id or _text_or_none(value.get("id"))
        if parts.results and not parts.texts:
            return
    content = parts.content
    if content is None and not calls and parts.results:
        return
    yield ChatMessage(
        role=role,
        content=content,
        name=_text_or_none(value.get("name")) if role in {"tool", "user"} else None,
        tool_call_id=call_id if role == "tool" else None,
        tool_calls=calls,
        finish_reason=finish or _text_or_none(value.get("finish_reason")),
        lost_parts=parts.lost,
    )


def _content_of(value: Mapping[str, Any]) -> Any:
    for key in ("content", "parts", "contents", "text"):
        if value.get(key) is not None:
            return value[key]
    return None


def _role_of_type(kind: str) -> str | None:
    return kind if kind in {"human", "ai", "system", "tool", "function"} else None


class _ContentParts:
    """The parts of one message's content, by kind."""

    def __init__(self, content: Any) -> None:
        self.texts: list[str] = []
        self.calls: list[ToolRequest] = []
        self.results: list[ChatMessage] = []
        self.lost = isinstance(content, list) and not content
        self._whole = content
        if isinstance(content, list):
            for part in content:
                self._add(part)

    @property
    def content(self) -> str | None:
        if self._whole is None:
            return None
        if isinstance(self._whole, list):
            return "\n".join(self.texts) if self.texts else None
        return write_json(self._whole)

    def _add(self, part: Any) -> None:
        if isinstance(part, str):
            self.texts.append(part)
            return
        if not isinstance(part, dict):
            return
        part = part.get("message_content") if "message_content" in part else part
        if not isinstance(part, dict):
            return
        kind = _type_of(part)
        if kind in _CALL_TYPES or "functionCall" in part or "function_call" in part:
            self.calls.extend(_read_calls([part]))
        elif kind in _RESULT_TYPES:
            self.results.append(_read_result(part))
        elif kind not in {"reasoning", "thinking"}:
            text = part.get("text", part.get("content"))
            if isinstance(text, str):
                self.texts.append(text)


def _read_result(part: Mapping[str, Any]) -> ChatMessage:
    result = next(
        (part[k] for k in ("response", "result", "content", "output") if part.get(k) is not None),
        None,
    )
    if isinstance(result, list) and all(isinstance(i, dict) and "text" in i for i in result):
        result = "\n".join(str(item["text"]) for item in result)
    call_id = part.get("id") or part.get("tool_use_id") or part.get("call_id")
    return ChatMessage(
        "tool",
        None if result is None else write_json(result),
        tool_call_id=_text_or_none(part.get("tool_call_id") or call_id),
    )


def _bare_call(value: Mapping[str, Any]) -> Iterable[ToolRequest]:
    return _read_calls([value]) if _type_of(value) in _CALL_TYPES else ()


def _read_calls(value: Any) -> tuple[ToolRequest, ...]:
    value = parse_object(value)
    if not isinstance(value, list):
        return ()
    return tuple(call for item in value if (call := _read_call(parse_object(item))) is not None)


def _read_call(item: Any) -> ToolRequest | None:
    if not isinstance(item, dict):
        return None
    item = item["tool_call"] if isinstance(item.get("tool_call"), dict) else item
    function = next(
        (item[k] for k in ("function", "function_call", "functionCall")
         if isinstance(item.get(k), dict)), item
    )  # fmt: skip
    name = function.get("name")
    if not isinstance(name, str) or not name:
        return None
    keys = ("arguments", "args", "input", "parameters")
    arguments: Any = next((function[k] for k in keys if function.get(k) is not None), {})
    call_id = item.get("call_id") or item.get("id") or ""
    return ToolRequest(str(call_id), name, write_json(arguments) or "{}")


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What a model call returned. ``text`` is None if it returned no text part at all."""

    text: str | None
    tool_calls: tuple[ToolRequest, ...]
    finish_reason: str | None


def read_output(value: Any) -> ModelOutput | None:
    """Return the output of a model call, or None if there is none in the value."""
    value = parse_object(value)
    if value is None or (isinstance(value, dict | list) and not value):
        return None
    messages = _output_messages(value)
    answers = [message for message in messages if message.role != "tool"]
    if not answers:
        return None
    texts = [m.content for m in answers if m.content is not None]
    calls = tuple(call for message in answers for call in message.tool_calls)
    finish = next((m.finish_reason for m in reversed(answers) if m.finish_reason), None)
    if isinstance(value, dict):
        finish = finish or _text_or_none(value.get("stop_reason"))
    return ModelOutput("\n".join(texts) if texts else None, calls, finish)


def _output_messages(value: Any) -> list[ChatMessage]:
    if isinstance(value, dict):
        for key in ("choices", "candidates"):
            if isinstance(value.get(key), list):
                return _first_choice(value[key])
        generations = value.get("generations")
        if isinstance(generations, list) and generations:
            return [_read_generation(parse_json(item)) for item in _flat(generations)[:1]]
        for key in ("output", "outputs"):
            if isinstance(value.get(key), list | dict | str):
                return _output_messages(parse_object(value[key]))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        if "choices" in value[0]:
            return _join_chunks(value)
        if "index" in value[0]:
            return _first_choice(value)
    return read_messages(value, "assistant")


def _first_choice(choices: list[Any]) -> list[ChatMessage]:
    """Return the messages of the first choice; further ones are alternatives to it."""
    objects = [choice for choice in choices if isinstance(choice, dict)]
    objects.sort(key=_choice_index)
    for choice in objects[:1]:
        finish = _text_or_none(choice.get("finish_reason") or choice.get("finishReason"))
        body = choice.get("message") or choice.get("delta") or choice.get("content") or choice
        messages = read_messages(body if isinstance(body, dict) else [body], "assistant")
        return [replace(m, finish_reason=m.finish_reason or finish) for m in messages]
    return []


def _choice_index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _is_int(value: Any) -> bool:
    return isinstance(value, int)


def _join_chunks(chunks: list[Any]) -> list[ChatMessage]:
    """Return the message that the chunks of a stream add up to."""
    text: list[str] = []
    finish = None
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in _list_of(chunk, "choices"):
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if not isinstance(delta, dict):
                continue
            text.append(delta["content"] if isinstance(delta.get("content"), str) else "")
            finish = _text_or_none(choice.get("finish_reason")) or finish
            for part in _list_of(delta, "tool_calls"):
                _add_call_part(calls, part)
    requests = _read_calls([calls[index] for index in sorted(calls)])
    return [ChatMessage("assistant", "".join(text) or None, None, None, requests, finish)]


def _add_call_part(calls: dict[int, dict[str, Any]], part: Any) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("function"), dict):
        return
    index = part["index"] if _is_int(part.get("index")) else 0
    call = calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
    call["id"] = call["id"] or _text_or_none(part.get("id")) or ""
    call["name"] = call["name"] or _text_or_none(part["function"].get("name")) or ""
    call["arguments"] += _text_or_none(part["function"].get("arguments")) or ""


def _read_generation(value: Any) -> ChatMessage:
    if not isinstance(value, dict):
        return ChatMessage("assistant", None)
    info = value.get("generation_info")
    finish = _text_or_none(info.get("finish_reason")) if isinstance(info, dict) else None
    messages = read_messages([value["message"]], "assistant") if value.get("message") else []
    if messages:
        content = messages[0].content if messages[0].content is not None else value.get("text")
        return replace(messages[0], role="assistant", content=content, finish_reason=finish)
    return ChatMessage("assistant", _text_or_none(value.get("text")), finish_reason=finish)


def _flat(value: list[Any]) -> list[Any]:
    return value[0] if value and isinstance(value[0], list) else value


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _type_of(value: Mapping[str, Any]) -> str:
    return _text_or_none(value.get("type")) or ""


def _list_of(value: Any, key: str) -> list[Any]:
    items = value.get(key) if isinstance(value, dict) else None
    return items if isinstance(items, list) else []
