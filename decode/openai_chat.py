"""Maps records in the shape of OpenAI chat completions to records of the contract.

Producers log what they send and receive: ``messages`` whose content is a list of parts,
``tool_calls`` with a ``function``, and the completion with its ``choices``, at the top level or as
``request`` and ``response``. Fields with names of the contract may be mixed in. docs/contract.md
lists the mapping; names that neither shape knows are kept, so the contract rejects them.

Source: the OpenAI API reference, "Chat Completions".
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

OPENAI_CHAT: Final = "openai-chat"

_Object = dict[str, Any]


class UnmappableRecordError(Exception):
    """A part of a record has no counterpart in the contract.

    ``detail`` is a sentence without any content of the record; ``field`` is the path it is about.
    """

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


def is_openai_chat(document: Any) -> bool:
    """Return whether a JSON document looks like a chat completion or a request for one."""
    if not isinstance(document, dict):
        return False
    for name, signs in (("response", _OF_A_COMPLETION), ("request", _OF_A_REQUEST)):
        if isinstance(document.get(name), dict) and signs & document[name].keys():
            return True
    if "choices" in document or "model" in document:
        return True
    calls = _objects(document.get("tool_calls"))
    return any(map(_is_openai_call, calls)) or any(
        map(_is_openai_message, _objects(document.get("messages")))
    )


def map_to_contract(document: Mapping[str, Any]) -> _Object:
    """Return a record with the contract's names, which take precedence over those of a completion.

    Unknown fields keep their names. Raises UnmappableRecordError where a part has no counterpart in
    the contract.
    """
    record: _Object = {}
    rest = dict(document)
    request = dict(_take(rest, "request", dict) or {})
    response = dict(_take(rest, "response", dict) or {})
    if "choices" in rest and not response:
        _fill(record, "model_version", rest.pop("model", None))
    for part, name in ((rest, ""), (request, "request.")):
        _request(part, record, name)
    _settings(response, record, "response.")
    answered = _completion(response or rest, record, "response." if response else "")
    for part, name in ((request, "request"), (response, "response")):
        record |= {f"{name}.{key}": value for key, value in part.items()}  # unknown names
    record |= rest
    for name, convert in (("messages", _convert_message), ("tool_calls", _convert_call)):
        if isinstance(record.get(name), list):
            record[name] = [convert(item) for item in record[name]]
    _fill(record, "trace_id", record.get("request_id"))
    if answered or isinstance(record.get("response"), str):
        _fill(record, "status", "ok")
    return record


def _request(part: _Object, record: _Object, prefix: str) -> None:
    """Move the fields of a completion request."""
    if part.get("safety_identifier") is not None and part.get("user") is not None:
        del part["user"]  # the older name of this field; today it may hold a cache key
    for source, target in _REQUEST_FIELDS:
        value = part.get(source)
        if value is not None and value == record.setdefault(target, value):
            del part[source]
    _settings(part, record, prefix)


def _settings(part: _Object, record: _Object, prefix: str) -> None:
    """Move sampling settings into attributes; a stored completion repeats those of its request."""
    settings = {
        f"openai.{name}": _plain(part.pop(name)) for name in sorted(_SETTINGS & part.keys())
    }
    attributes: _Object = {name: value for name, value in settings.items() if value is not None}
    for name in ("metadata", "attributes"):
        if isinstance(part.get(name), dict):
            entries = {key: _plain(value) for key, value in part.pop(name).items()}
            attributes |= {key: value for key, value in entries.items() if value is not None}
        elif name == "metadata" and part.get(name) is not None:
            raise _wrong(f"{prefix}metadata", "an object")
    if attributes:
        record["attributes"] = attributes | record.get("attributes", {})
    _leave_out(part)


def _leave_out(part: _Object) -> None:
    for name in [name for name, value in part.items() if name in _LEFT_OUT or value is None]:
        del part[name]


def _completion(part: _Object, record: _Object, prefix: str) -> bool:
    """Move a completion's fields, using its first choice; return whether there is an answer."""
    _fill(record, "model_version", part.pop("model", None))
    _fill(record, "request_id", part.pop("id", None))
    _created(part.pop("created", None), record, prefix)
    usage = part.pop("usage", None)
    if isinstance(usage, dict):
        for name, target in _USAGE:
            _fill(record, target, usage.get(name))
    elif usage is not None:
        raise _wrong(f"{prefix}usage", "an object")
    _failure(part, record, prefix)
    _leave_out(part)
    choices = part.pop("choices", None)
    if choices is not None and not isinstance(choices, list):
        raise _wrong(f"{prefix}choices", "a list")
    if choices:
        _choice(choices[0], record, part, f"{prefix}choices")
    elif part.get("role") == "assistant":  # the message alone
        _answer({name: part.pop(name) for name in _OF_AN_ANSWER & part.keys()}, record)
        return True
    return bool(choices)


def _choice(choice: Any, record: _Object, part: _Object, field: str) -> None:
    """Move the answer of a choice; unknown fields stay in ``part``, under their paths."""
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise _no_message(choice, field)
    _fill(record, "finish_reason", choice.get("finish_reason"))
    message = dict(choice["message"])
    _answer({name: message.pop(name) for name in _OF_AN_ANSWER & message.keys()}, record)
    more = {name: value for name, value in choice.items() if name not in _OF_A_CHOICE}
    for unknown, path in ((more, "choices[0]"), (message, "choices[0].message")):
        part |= {f"{path}.{name}": value for name, value in unknown.items() if value is not None}


def _created(created: Any, record: _Object, prefix: str) -> None:
    if created is None:
        return
    if isinstance(created, bool) or not isinstance(created, int | float):
        raise _wrong(f"{prefix}created", "seconds since 1970")
    if not 0 <= created < 2**33:
        raise _wrong(f"{prefix}created", "seconds since 1970, and no smaller parts of them")
    _fill(record, "started_at", datetime.fromtimestamp(created, UTC).isoformat())


def _failure(part: _Object, record: _Object, prefix: str) -> None:
    error = part.pop("error", None)
    if error is None:
        return
    if not isinstance(error, dict | str):
        raise _wrong(f"{prefix}error", "an object or text")
    details = error if isinstance(error, dict) else {"message": error}
    record["status"] = "error"
    kind = details.get("type") or details.get("code")
    _fill(record, "error_type", _plain(kind) if isinstance(kind, int) else kind)
    _fill(record, "error_message", details.get("message"))


def _answer(message: _Object, record: _Object) -> None:
    mapped = _convert_message(message)
    _fill(record, "response", mapped.get("content"))
    if mapped.get("tool_calls"):
        _fill(record, "tool_calls", mapped["tool_calls"])


def _convert_message(message: Any) -> Any:
    """Return a message of OpenAI's shape as one of the contract; other messages unchanged."""
    if not isinstance(message, dict):
        return message
    mapped = {key: value for key, value in message.items() if key not in _WITHOUT_COUNTERPART}
    if isinstance(mapped.get("content"), list):
        mapped["content"] = _convert_content(mapped["content"])
    refusal = message.get("refusal")
    if not mapped.get("content") and isinstance(refusal, str):
        mapped["content"] = refusal
    calls = mapped.get("tool_calls")
    if isinstance(calls, list):
        mapped["tool_calls"] = [_convert_call(call) for call in calls]
    elif "tool_calls" in mapped and calls is None:
        del mapped["tool_calls"]
    function = mapped.pop("function_call", None)  # before there were tools
    if isinstance(function, dict):
        call = _convert_call({"id": "function_call", "function": function})
        mapped["tool_calls"] = [*(mapped.get("tool_calls") or []), call]
    elif function is not None:
        raise _wrong("messages[].function_call", "an object")
    return mapped


def _convert_call(call: Any) -> Any:
    if not isinstance(call, dict):
        return call
    function = call.get("function") or call.get("custom")
    if not isinstance(function, dict):
        return call
    arguments = function.get("arguments", function.get("input", ""))
    plain = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    mapped = {key: value for key, value in call.items() if key not in _OF_A_CALL}
    more = {key: value for key, value in function.items() if key not in _OF_A_FUNCTION}
    return {**mapped, **more, "name": function.get("name"), "arguments": plain}


def _convert_content(parts: list[Any]) -> str:
    """Return the parts of a message as text, or as JSON if not all of them are text.

    Inline files, images and audio are left out: they cannot be redacted.
    """
    converted = [_convert_part(part) for part in parts]
    texts = [part["text"] for part in converted if part.keys() == {"type", "text"}]
    if len(texts) == len(converted):
        return "\n".join(texts)
    return json.dumps(converted, ensure_ascii=False)


def _convert_part(part: Any) -> _Object:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in _PARTS:
        raise _unknown_part()
    if kind in {"text", "input_text", "output_text", "refusal"}:
        text = part.get("text", part.get("refusal"))
        if not isinstance(text, str):
            raise _unknown_part()
        return {"type": "text", "text": text}
    url = part.get("image_url")
    url = url.get("url") if isinstance(url, dict) else url
    if isinstance(url, str) and url.startswith(("http://", "https://")):
        return {"type": kind, "url": url}
    return {"type": kind, "left_out": "data"}


def _wrong(field: str, kind: str) -> UnmappableRecordError:
    return UnmappableRecordError(f"`{field}` must be {kind}.", field)


def _no_message(choice: Any, field: str) -> UnmappableRecordError:
    """Return the error for a choice without a message, which may be of another OpenAI shape."""
    hint = ""
    if isinstance(choice, dict) and "delta" in choice:
        hint = ": this is a part of a stream, so send the answer as a whole"
    elif isinstance(choice, dict) and "text" in choice:
        hint = ": this is a completion without a chat, so send its text as `response`"
    return UnmappableRecordError(f"The first of `{field}` must have a `message`{hint}.", field)


def _unknown_part() -> UnmappableRecordError:
    return UnmappableRecordError(
        "`messages[].content` has a part that is neither text, picture, sound nor file.",
        "messages[].content",
    )


def _is_openai_message(message: _Object) -> bool:
    if isinstance(message.get("content"), list) or _WITHOUT_COUNTERPART & message.keys():
        return True
    if "function_call" in message or message.get("tool_calls", ...) is None:
        return True
    return any(map(_is_openai_call, _objects(message.get("tool_calls"))))


def _is_openai_call(call: _Object) -> bool:
    return "function" in call or "custom" in call or "type" in call


def _objects(value: Any) -> list[_Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _take(part: _Object, name: str, kind: type) -> Any:
    """Pop a value of a kind from an object; None if it is of another kind, which stays."""
    return part.pop(name) if isinstance(part.get(name), kind) else None


def _fill(record: _Object, name: str, value: Any) -> None:
    if value is not None:
        record.setdefault(name, value)


def _plain(value: Any) -> str | None:
    if isinstance(value, bool | int | float | str):
        return value if isinstance(value, str) else json.dumps(value)
    return None if value is None else json.dumps(value, ensure_ascii=False)


_REQUEST_FIELDS: Final = (
    ("messages", "messages"),
    ("model", "model_requested"),
    ("safety_identifier", "user_id"),
    ("user", "user_id"),
)
_USAGE: Final = (
    ("prompt_tokens", "input_tokens"),
    ("input_tokens", "input_tokens"),
    ("completion_tokens", "output_tokens"),
    ("output_tokens", "output_tokens"),
)
_SETTINGS: Final = frozenset(
    [
        "temperature",
        "top_p",
        "n",
        "stop",
        "seed",
        "max_tokens",
        "max_completion_tokens",
        "presence_penalty",
        "frequency_penalty",
        "reasoning_effort",
        "tool_choice",
        "parallel_tool_calls",
        "verbosity",
    ]
)
"""What a request asks for besides the answer: kept as attributes, as text."""
_LEFT_OUT: Final = frozenset(
    [
        "object",
        "system_fingerprint",
        "service_tier",
        "tools",
        "functions",
        "function_call",
        "response_format",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "stream",
        "stream_options",
        "store",
        "modalities",
        "audio",
        "prediction",
        "prompt_cache_key",
        "prompt_filter_results",
    ]
)
"""Fields that say nothing about this answer, or repeat the application's own code."""
_OF_A_COMPLETION: Final = frozenset({"choices", "role", "object", "usage", "error"})
_OF_A_CHOICE: Final = frozenset(
    ["index", "message", "finish_reason", "logprobs", "content_filter_results"]
)
_OF_A_REQUEST: Final = frozenset({"messages", "model"})
_WITHOUT_COUNTERPART: Final = frozenset(
    ["refusal", "annotations", "audio", "reasoning", "reasoning_content", "reasoning_details"]
)
_OF_AN_ANSWER: Final = (
    frozenset({"role", "content", "tool_calls", "function_call"}) | _WITHOUT_COUNTERPART
)
_OF_A_CALL: Final = frozenset({"type", "function", "custom", "index"})
_OF_A_FUNCTION: Final = frozenset({"name", "arguments", "input"})
_PARTS: Final = frozenset(
    [
        "text",
        "input_text",
        "output_text",
        "refusal",
        "image_url",
        "input_image",
        "input_audio",
        "file",
        "input_file",
    ]
)
