"""Reads a YAML document that people write into a strict model; a mistake is told with its line.

Nothing is taken for what it is not: a number is written in plain decimal, without quotes, and is
neither a word (`yes`) nor a truth value, and the name of a field is a text.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from schemas.errors import UsageError
from schemas.plain_yaml import PlainLoader

_NAMED = re.compile(r"([a-z][a-z0-9_.-]*): ")
_WORDS: Final = {"yes": True, "on": True, "no": False, "off": False}
_TYPES: Final = {
    "int_type": "must be a whole number in plain decimal digits, without quotes",
    "float_type": "must be a finite number in plain decimal digits, without quotes",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a text: put it in quotes",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "json_invalid": "something in it cannot be read",
}
"""What is wrong with a value of another type, by what pydantic calls it."""


def _flag(value: Any) -> Any:
    """Take the words of YAML 1.1 for true and false, where nothing else is meant."""
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""True or false; also written yes, no, on, off."""


class Part(BaseModel):
    """Base of all parts of a document: unknown keys are errors, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


ModelT = TypeVar("ModelT", bound=Part)


def read_mapping(text: str, name: str) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Return the tree of a document, for line numbers, and what it holds.

    Raises UsageError where it is no YAML, no mapping, or has a key twice or one that is no text.
    """
    try:
        tree = yaml.compose(text, Loader=PlainLoader)
        if tree is not None:
            _refuse_keys(tree, name)
        document = yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a safe loader
    except RecursionError:
        raise UsageError(f"{name}: it is nested too deeply, or holds itself.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}, line {line}: not YAML ({error.problem}).") from None
    except (yaml.YAMLError, ValueError):
        raise UsageError(f"{name}: not YAML.") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name}, line 1: the document must be a mapping.")
    return tree, document


def checked(
    model: type[ModelT], document: Mapping[str, Any], tree: yaml.Node | None, name: str
) -> ModelT:
    """Return ``document`` as ``model``, or raise UsageError with line, field and reason.

    A rule that spans the document names the field it is about before a colon, as in ``a.b: why``.
    """
    try:
        return model.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        reason = _TYPES.get(first["type"]) or first["msg"].removeprefix("Value error, ").rstrip(".")
        path = tuple(part for part in first["loc"] if part != "[key]")
        if not path and (named := _NAMED.match(reason)):
            path, reason = tuple(named[1].split(".")), reason[named.end() :]
        where = ".".join(str(part) for part in path) or "document"
        raise UsageError(f"{name}, line {line_of(tree, path)}: {where}: {reason}.") from None


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``above`` laid over ``below``: mappings are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            merged[key] = laid_over(under, value)
        else:
            merged[key] = value
    return merged


def line_of(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Return the line (from 1) on which the deepest part of a path that exists stands."""
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
    """Refuse a key that stands twice in one mapping, or is no text.

    YAML would take the last of two in silence.
    """
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_keys(child, name)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not key.tag.endswith((":str", ":merge")):
                shown = f"{key.value}: " if isinstance(key.value, str) else ""
                raise UsageError(f"{name}, line {line}: {shown}a name must be a text: quote it.")
            if key.value in seen:
                raise UsageError(f"{name}, line {line}: {key.value} stands here twice.")
            seen.add(key.value)
            _refuse_keys(value, name)
