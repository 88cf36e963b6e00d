"""Reads YAML without guessing types: all but plain numbers, true, false and null is text.

YAML 1.1, which PyYAML reads, takes `no` for false (and so Norway), `0400` for 256, `1:30` for 90,
and `2026-02-29` for an error without a line. Here these are texts, as in YAML 1.2, core schema
(https://yaml.org/spec/1.2.2/#103-core-schema); a model that expects a number then refuses them.
"""

import re
from typing import Any, ClassVar, Final

import yaml

_TAG: Final = "tag:yaml.org,2002:"
_WHOLE: Final = r"[-+]?(?:0|[1-9][0-9]*)"
_FORMS: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _WHOLE, "-+0123456789"),
    ("float", rf"{_WHOLE}(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("merge", r"<<", "<"),
)
"""The pattern of each kind of plain scalar, and the characters it can begin with."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, form, begins in _FORMS:
        for first in begins:
            resolvers.setdefault(first, []).append((_TAG + kind, re.compile(rf"(?:{form})\Z")))
    return resolvers


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)))


class PlainLoader(yaml.SafeLoader):
    """Reads a document into mappings, lists, texts, numbers, booleans and None."""

    yaml_implicit_resolvers: Any = _resolvers()
    yaml_constructors: ClassVar[Any] = {**yaml.SafeLoader.yaml_constructors, f"{_TAG}float": _float}
