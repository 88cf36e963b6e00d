"""The definitions of tools that a row carries, and whether arguments fit one.

Definitions are in an attribute of the trace, as instrumentations put them there: a JSON list of
functions (OpenTelemetry's ``gen_ai.tool.definitions``, or ``tools`` in the form of OpenAI's API).
Of JSON Schema (draft 2020-12) the words that such definitions use are read: type, enum, const,
required, properties, additionalProperties, items, minimum, maximum and anyOf. Other words, and
references, are not read and accept everything.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

ATTRIBUTES: Final = ("gen_ai.tool.definitions", "gen_ai.request.tools", "tools")
_DEEPEST: Final = 32
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def tool_schemas(attributes: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the schema of each tool that was offered, by name; None where nothing says."""
    for name in ATTRIBUTES:
        text = attributes.get(name)
        if text is None:
            continue
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(listed, list) and listed:
            return dict(_named(item) for item in listed if isinstance(item, dict))
    return None


def fits(value: Any, schema: Any, depth: int = 0) -> bool:
    """Return whether a value fits a schema, as far as it is read."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return schema is not False
    if "enum" in schema and not any(_equal(value, item) for item in _list(schema["enum"])):
        return False
    if "const" in schema and not _equal(value, schema["const"]):
        return False
    kinds = schema.get("type")
    if kinds is not None and not any(_is_kind(value, kind) for kind in _listed(kinds)):
        return False
    choices = schema.get("anyOf")
    if isinstance(choices, list) and not any(fits(value, c, depth + 1) for c in choices):
        return False
    return _parts_fit(value, schema, depth)


def _parts_fit(value: Any, schema: Mapping[str, Any], depth: int) -> bool:
    if isinstance(value, dict):
        return _object_fits(value, schema, depth)
    if isinstance(value, list):
        return all(fits(item, schema.get("items", True), depth + 1) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _within(value, schema)
    return True


def _object_fits(value: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> bool:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    if any(name not in value for name in _list(schema.get("required", []))):
        return False
    rest = schema.get("additionalProperties", True)
    return all(fits(item, known.get(name, rest), depth + 1) for name, item in value.items())


def _within(value: float, schema: Mapping[str, Any]) -> bool:
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, int | float) and value < low:
        return False
    return not (isinstance(high, int | float) and value > high)


def _named(item: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    function = item.get("function")
    inner = function if isinstance(function, Mapping) else item
    schema = inner.get("parameters", inner.get("input_schema"))
    return str(inner.get("name")), schema if isinstance(schema, Mapping) else {}


def _is_kind(value: Any, kind: Any) -> bool:
    types = _TYPES.get(str(kind))
    if types is None:
        return True
    if isinstance(value, bool):
        return str(kind) == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, types)


def _equal(value: Any, other: Any) -> bool:
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _listed(kinds: Any) -> Sequence[Any]:
    return kinds if isinstance(kinds, list) else [kinds]


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
