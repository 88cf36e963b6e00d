"""Reads JSON that stands in strings, within bounds, and writes it in one canonical form."""

import json
from typing import Any, Final

MAX_NESTED_JSON: Final = 3
"""Layers of JSON inside JSON strings that products were seen to write."""


def parse_json(value: Any) -> Any:
    """Return the document in a string, decoded up to three layers; other values are unchanged."""
    for _ in range(MAX_NESTED_JSON):
        if not isinstance(value, str) or value.lstrip()[:1] not in _JSON_STARTS:
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
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
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


_JSON_STARTS: Final = frozenset('{["')
