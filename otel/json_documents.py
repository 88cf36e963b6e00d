"""Reads JSON that stands in strings, within bounds, and writes it in one canonical form."""

import hashlib
import json
from typing import Any, Final

MAX_NESTED_JSON: Final = 3
"""Layers of JSON inside JSON strings that products were seen to write."""


MAX_DEPTH: Final = 100
"""Deepest JSON document that is read, as in protobuf; deeper ones count as not readable."""


def load_json(text: str | bytes) -> Any:
    """Return the document in a text, with lone surrogates replaced.

    Raises ValueError if it is not UTF-8, cannot be parsed, or is nested too deeply.
    """
    try:
        document = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(text, bytes):
        brackets = text.count(b"[") + text.count(b"{")
        escapes = b"\\ud" in text or b"\\uD" in text
    else:
        brackets = text.count("[") + text.count("{")
        escapes = "\\ud" in text or "\\uD" in text
    if brackets > MAX_DEPTH and _is_too_deep(document):
        raise ValueError("nested too deeply")
    return _replace_surrogates(document) if escapes else document


def _is_too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()}
    return value


def parse_json(value: Any) -> Any:
    """Return the document in a string, decoded up to three layers; other values are unchanged."""
    for _ in range(MAX_NESTED_JSON):
        if not isinstance(value, str) or value.lstrip()[:1] not in _JSON_STARTS:
            return value
        try:
            value = load_json(value)
        except ValueError:
            return value
    return value


def parse_object(value: Any) -> Any:
    """Return the object or list in a string; strings that hold anything else are unchanged."""
    document = parse_json(value)
    return document if isinstance(document, dict | list) else value


def write_json(value: Any) -> str:
    """Return a value as JSON text; text is returned as it is."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def write_sorted_json(value: Any) -> str:
    """Return a value as JSON text with sorted keys: equal values give equal text."""
    return json.dumps(value, sort_keys=True, default=str)


_JSON_STARTS: Final = frozenset('{["')


def content_digest(document: Any) -> str:
    """Return 32 hexadecimal digits for a document without an id: a retry of it has the same."""
    return hashlib.sha256(write_sorted_json(document).encode()).hexdigest()[:32]
