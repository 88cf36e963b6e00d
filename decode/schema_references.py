"""Inlines the schemas that a schema refers to, so that it is complete by itself.

Avro defines a type at its first occurrence and refers to it by name afterwards. The result does the
same, at any depth and in any order of references. All names are full names, so they mean the same
everywhere.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.contract import Avsc

_NAMED: Final = frozenset({"record", "error", "enum", "fixed"})
_SIMPLE: Final = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map"}
)


def inline_references(schema: Avsc, referenced: Iterable[Any]) -> Avsc:
    """Return ``schema`` with its types from ``referenced``, at any depth, inlined.

    A name without a definition stays a name.
    """
    definitions: dict[str, tuple[Mapping[str, Any], str]] = {}
    for definition in referenced:
        _collect(definition, "", definitions)
    inlined: Avsc = _Inliner(definitions).node(schema, "")
    return inlined


def _collect(node: Any, space: str, definitions: dict[str, tuple[Mapping[str, Any], str]]) -> None:
    """Record each named type within a schema, with its enclosing namespace."""
    if isinstance(node, list):
        for branch in node:
            _collect(branch, space, definitions)
    elif isinstance(node, Mapping):
        if node.get("type") in _NAMED:
            full = _full_name(node, space)
            definitions.setdefault(full, (node, space))
            space = full.rpartition(".")[0]
            for field in _fields(node):
                _collect(field.get("type"), space, definitions)
        for part in ("type", "items", "values"):
            if not isinstance(node.get(part), str):
                _collect(node.get(part), space, definitions)


class _Inliner:
    """Copies a schema once; remembers which types it has defined."""

    def __init__(self, definitions: Mapping[str, tuple[Mapping[str, Any], str]]) -> None:
        self._definitions = definitions
        self._defined: set[str] = set()

    def node(self, node: Any, space: str) -> Any:
        """Return a type with its references inlined, within a namespace."""
        if isinstance(node, str):
            return self._name(node, space)
        if isinstance(node, list):
            return [self.node(branch, space) for branch in node]
        if not isinstance(node, Mapping):
            return node
        if node.get("type") in _NAMED:
            return self._definition(node, space)
        parts = (part for part in ("type", "items", "values") if part in node)
        return {**node, **{part: self.node(node[part], space) for part in parts}}

    def _name(self, name: str, space: str) -> Any:
        if name in _SIMPLE:
            return name
        for full in (f"{space}.{name}" if space and "." not in name else name, name):
            if full in self._defined:
                return full
            if full in self._definitions:
                return self._definition(*self._definitions[full])
        return name

    def _definition(self, node: Mapping[str, Any], space: str) -> Any:
        full = _full_name(node, space)
        if full in self._defined:
            return full
        self._defined.add(full)
        own, _, short = full.rpartition(".")
        copied = {**node, "name": short, "namespace": own}
        if isinstance(node.get("fields"), list):
            copied["fields"] = [
                {**field, "type": self.node(field["type"], own)}
                if isinstance(field, Mapping) and "type" in field
                else field
                for field in node["fields"]
            ]
        return copied


def _full_name(node: Mapping[str, Any], space: str) -> str:
    name = str(node.get("name", ""))
    if "." in name:
        return name
    own = str(node.get("namespace", space) or "")
    return f"{own}.{name}" if own else name


def _fields(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    fields = node.get("fields")
    return [f for f in fields if isinstance(f, Mapping)] if isinstance(fields, list) else []
