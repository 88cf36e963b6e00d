"""Reads a hand-written YAML document into a strict model; errors name the line.

No value is converted silently: a number is written in plain decimal, without quotes, and is neither
a word (`yes`) nor a boolean, and the name of a field is a text.
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from schemas.errors import UsageError
from schemas.plain_yaml import PlainLoader

_NAMED = re.compile(r"([a-z][a-z0-9_]*(?:\..*?)?): ")
_KEPT_DOCUMENTS: Final = 16
_UNKNOWN: Final = "extra_forbidden"
_WORDS: Final = {"yes": True, "on": True, "no": False, "off": False}
_TYPES: Final = {
    "int_type": "must be a whole number in plain decimal digits, without quotes",
    "float_type": "must be a finite number in plain decimal digits, without quotes",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a text: put it in quotes",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "missing": "is missing",
    "json_invalid": "something in it cannot be read",
}
"""The fault of a value of another type, by pydantic's error type."""


def _flag(value: Any) -> Any:
    """Convert YAML 1.1's words for true and false, where only a boolean is allowed."""
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""True or false; also written yes, no, on, off."""


class DocumentPart(BaseModel):
    """Base of all parts of a document: unknown keys are errors, and values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


ModelT = TypeVar("ModelT", bound=DocumentPart)


def read_yaml_mapping(text: str, name: str) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Return the tree of a document, for line numbers, and its content.

    Raises UsageError if it is not YAML or not a mapping, or if a key is a duplicate or not text.
    """
    tree, document = _parse(text, name)
    return tree, deepcopy(document)


@lru_cache(maxsize=_KEPT_DOCUMENTS)
def _parse(text: str, name: str) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Parse a document once: a command reads a preset several times."""
    try:
        loader = PlainLoader(text)
        tree = loader.get_single_node()
        if tree is not None:
            _refuse_keys(tree, name)
        document = None if tree is None else loader.construct_document(tree)
    except RecursionError:
        raise UsageError(f"{name}: it is nested too deeply or contains itself.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}, line {line}: not YAML ({error.problem}).") from None
    except (yaml.YAMLError, ValueError):
        raise UsageError(f"{name}: not YAML.") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name}, line 1: the document must be a mapping.")
    return tree, document


def validate_document(
    model: type[ModelT], document: Mapping[str, Any], tree: yaml.Node | None, name: str
) -> ModelT:
    """Return ``document`` as ``model``, or raise UsageError with line, field and reason.

    A rule about the whole document names its field before a colon, as in ``a.b: reason``.
    """
    try:
        return model.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        # A mistyped name is unknown, and the intended one is missing: report the first.
        first = next((e for e in errors if e["type"] == _UNKNOWN), errors[0])
        reason = _TYPES.get(first["type"]) or first["msg"].removeprefix("Value error, ").rstrip(".")
        path = _written(tree, tuple(part for part in first["loc"] if part != "[key]"))
        if first["type"] == _UNKNOWN:
            reason = _no_such_key(_keys(model, path[:-1]), str(path[-1]))
        line, where = line_of_path(tree, path), ".".join(str(part) for part in path) or "document"
        if not path and (named := _NAMED.match(reason)):
            line, where, reason = _line_named(tree, named[1]), named[1], reason[named.end() :]
        raise UsageError(f"{name}, line {line}: {where}: {reason}.") from None


def _no_such_key(keys: list[str], name: str) -> str:
    near = get_close_matches(name.casefold(), keys, 1)
    if near:
        return f"there is no such key; {near[0]} may be meant"
    return "there is no such key" + (f"; there are {', '.join(keys)}" if keys else "")


def _keys(model: type[DocumentPart], path: tuple[int | str, ...]) -> list[str]:
    """Return the field names of a part of a document; empty if it has no fixed fields."""
    for step in path:
        if isinstance(step, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        kind = fields[step].annotation if step in fields else None
        parts = [
            candidate
            for candidate in (kind, *get_args(kind))
            if isinstance(candidate, type) and issubclass(candidate, DocumentPart)
        ]
        if not parts:
            return []
        model = parts[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _written(node: yaml.Node | None, path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return a path without the parts that pydantic added for the kinds of values."""
    written: list[int | str] = []
    for index, step in enumerate(path):
        below = _below(node, step)
        if below is not None:
            node = below[1]
        elif isinstance(step, str) and node is not None:
            rest = path[index + 1 :]
            if not isinstance(node, yaml.MappingNode) or (rest and _below(node, rest[0])):
                continue
            node = None
        written.append(step)
    return tuple(written)


def _line_named(node: yaml.Node | None, named: str) -> int:
    """Return the line of the field a rule names, as in ``where.segments.tier``."""
    line = node.start_mark.line + 1 if node is not None else 1
    while isinstance(node, yaml.MappingNode):
        fits = [
            (key, value)
            for key, value in node.value
            if named == key.value or named.startswith(f"{key.value}.")
        ]
        if not fits:
            return line
        key, node = max(fits, key=lambda pair: len(pair[0].value))
        line, named = key.start_mark.line + 1, named[len(key.value) + 1 :]
    if isinstance(node, yaml.SequenceNode):
        lines = [item.start_mark.line + 1 for item in node.value if item.value == named]
        line = lines[0] if lines else line
    return line


def overlay_mapping(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``override`` laid over ``base``: mappings are merged, all else is replaced."""
    merged = dict(base)
    for key, value in override.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            merged[key] = overlay_mapping(under, value)
        else:
            merged[key] = value
    return merged


def line_of_path(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Return the line (from 1) of the deepest existing part of a path."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in path:
        below = _below(node, part)
        if below is None:
            break
        line, node = below
    return line


def _below(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def _refuse_keys(node: yaml.Node, name: str) -> None:
    """Refuse a key that is a duplicate in its mapping, or is not text.

    YAML would take the last of two silently.
    """
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_keys(child, name)
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not key.tag.endswith((":str", ":merge")):
                shown = f"{key.value}: " if isinstance(key.value, str) else ""
                raise UsageError(f"{name}, line {line}: {shown}a key must be text: quote it.")
            if key.value in keys:
                raise UsageError(f"{name}, line {line}: duplicate key {key.value}.")
            keys.add(key.value)
            _refuse_keys(value, name)
