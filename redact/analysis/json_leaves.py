"""Reads JSON texts into leaves, each with its key, its span and the key's meaning.

The text is not parsed and serialised again but read token by token, so that everything that is not
replaced stays identical, byte for byte: the order of keys, white space, the digits of a number, a
duplicate key.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from mypy_extensions import i64, mypyc_attr

from redact.analysis.json_leaf import JsonLeaf
from redact.analysis.json_scanner import (
    LIST,
    LIST_END,
    OBJECT,
    OBJECT_END,
    QUOTE,
    begins_number,
    number_end,
    string_end,
    value_start,
)
from redact.field_keys.dummy_values import is_ordinary_word
from redact.field_keys.field_key import NO_KEY, FieldKey
from redact.field_keys.key_book import KeyBook, classify_owner
from redact.pairs import may_hold_split_table, read_split_tables


def is_json_document(text: str) -> bool:
    """Return whether a text is one JSON document with leaves (object, array or string)."""
    stripped = text.lstrip()
    if stripped[:1] not in ("{", "[", '"'):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


@mypyc_attr(acyclic=True)
class _Context:
    """The context of the next value in a document: its key, and the rule that applies.

    ``rule``, ``certain`` and ``part`` may come from a key above; ``owner`` is the number of the
    object. With ``wording`` the values are about keys, such as their labels, so no key is certain.
    """

    __slots__ = ("certain", "key", "owner", "part", "rule", "wording")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record, made for each key
        self,
        key: FieldKey,
        rule: str | None = None,
        certain: bool = True,  # noqa: FBT001, FBT002
        part: str = "",
        owner: int = 0,
        wording: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.key = key
        self.rule = rule
        self.certain = certain
        self.part = part
        self.owner = owner
        self.wording = wording

    def below(self, key: FieldKey) -> "_Context":
        """Return the context of the value of ``key`` in the object at this context."""
        if key.rule or not key.inherits or (key.rule is not None and not self.rule):
            certain = key.certain and not self.wording
            return _Context(key, key.rule, certain, key.part, self.owner, self.wording)
        if not self.rule:
            return _Context(key, self.rule, owner=self.owner, wording=self.wording)
        part = key.part if self.rule == "PERSON" else ""
        certain = self.certain or part != ""
        return _Context(key, self.rule, certain, part, self.owner, self.wording)

    def inside(self, owner: int) -> "_Context":
        """Return the context inside the object here, which has the number ``owner``."""
        rule = self.rule if self.key.reach == "all" else None
        wording = self.wording or self.key.holds == "wording"
        return _Context(self.key, rule, self.certain, self.part, owner, wording)


_TOP = _Context(NO_KEY)


def read_leaves(text: str, book: KeyBook) -> list[JsonLeaf]:
    """Return the leaves of a text that :func:`is_json_document` accepts.

    A rule on a key applies to everything below it, until a rule on a deeper key overrides it or the
    key only describes (`type`, `verified`). A bare `name` is judged by its neighbours, and in a
    JSON Schema only samples are data.
    """
    leaves: list[JsonLeaf] = []
    around = LeafContext()
    outer = current = _TOP
    owners = 0
    stack: list[_Context] = []
    keys_read = book.keys_read
    at: i64 = 0
    size: i64 = len(text)
    while at < size:
        sign: i64 = ord(text[at])
        if sign == QUOTE:
            end = string_end(text, at)
            raw = text[at + 1 : end - 1]
            value_at = value_start(text, end)
            if value_at:
                key = keys_read.get(raw) or book.key(raw)
                current = outer.below(key)
                around.show(outer.owner, key)
                if not key.plain:
                    leaves.append(_key_leaf(at, end, key, outer))
                at = value_at
                continue
            leaf = _value_leaf(at, end, unescape_json(raw), "string", current)
        elif begins_number(sign):
            end = number_end(text, at)
            leaf = _value_leaf(at, end, text[at:end], "number", current)
        else:
            at += 1
            if sign in (OBJECT, LIST):
                stack.append(outer)
                outer = current
                if sign == OBJECT:
                    owners += 1
                    around.holds[owners] = current.key.holds
                    outer = current = current.inside(owners)
            elif sign in (OBJECT_END, LIST_END):
                outer = current = stack.pop()
            continue
        around.register(len(leaves), leaf, current.key)
        leaves.append(leaf)
        at = end
    around.judge_by_context(leaves)
    _apply_field_names(leaves, book)
    if may_hold_split_table(text):
        _apply_headings(text, leaves, book, owners)
    return leaves


def _apply_headings(text: str, leaves: list[JsonLeaf], book: KeyBook, owners: int) -> None:
    """Give the cells of a table the rules of its headings, which are in a separate list."""
    cells, _ = read_split_tables(text, owners + 1)
    if not cells:
        return
    index_by_start = {leaf.start: index for index, leaf in enumerate(leaves)}
    rows: dict[int, set[FieldKey]] = {}
    for cell in cells:
        key = book.read(cell.key)
        if key.shows:
            rows.setdefault(cell.owner, set()).add(key)
    for cell in cells:
        index = index_by_start.get(cell.start - (cell.form == "json_string"))
        key = book.read(cell.key)
        if index is None or key.rule is None or leaves[index].kind == "key":
            continue
        certain = key.certain
        if key.part == "name":
            shown = classify_owner(rows.get(cell.owner, ()))
            if shown == "thing":
                continue
            certain = shown == "person" and not is_ordinary_word(leaves[index].text)
        leaves[index] = leaves[index].under(key.rule, key.part, cell.owner, certain=certain)


_FIELD_NAMES = frozenset({"name", "key", "field", "label", "field_name", "path", "title"})
_FIELD_VALUES = frozenset({"value", "val", "answer", "current_value"})


def _apply_field_names(leaves: list[JsonLeaf], book: KeyBook) -> None:
    """Give the values of fields whose name is a value itself the rule of that name.

    Forms and lists of settings have this form: ``{"name": "ssn", "value": "521438871"}``.
    """
    values = [i for i, leaf in enumerate(leaves) if leaf.key.lower() in _FIELD_VALUES]
    if not values:
        return
    names = {
        leaf.owner: leaf.text
        for leaf in leaves
        if leaf.kind == "string" and leaf.key.lower() in _FIELD_NAMES and len(leaf.text) <= _LONGEST
    }
    for index in values:
        leaf = leaves[index]
        name = names.get(leaf.owner)
        key = book.named(name.rpartition("/")[2]) if name else None
        if key is not None and key.rule is not None and leaf.kind != "key":
            leaves[index] = leaf.under(key.rule, key.part, leaf.owner, certain=key.certain)


_LONGEST = 60
"""Maximum length of a value that may be the name of a field."""


def _value_leaf(
    start: int, end: int, value: str, kind: Literal["string", "number"], context: _Context
) -> JsonLeaf:
    """Return the leaf of a string or a number."""
    key = context.key
    return JsonLeaf(
        start,
        end,
        value,
        key.name,
        key.label,
        context.rule,
        context.owner,
        kind,
        context.certain,
        context.part,
    )


def _key_leaf(start: int, end: int, key: FieldKey, outer: _Context) -> JsonLeaf:
    """Return the leaf of a key that could contain personal data."""
    return JsonLeaf(start, end, key.name, outer.key.name, "", None, outer.owner, "key")


class LeafContext:
    """The context that the leaves of a document give each other, object by object.

    ``keys`` are keys of an object that show what it describes; ``holds`` is what the key above the
    object says about it.
    """

    __slots__ = ("_inherited", "_schemas", "_unsure", "holds", "keys")

    def __init__(self) -> None:
        self.keys: dict[int, set[FieldKey]] = {}
        self.holds: dict[int, str] = {}
        self._unsure: list[int] = []
        self._inherited: list[int] = []
        self._schemas: set[int] = set()

    def show(self, owner: int, key: FieldKey) -> None:
        """Register a key of an object, if it shows what the object describes."""
        if key.shows:
            self.keys.setdefault(owner, set()).add(key)

    def register(self, index: int, leaf: JsonLeaf, key: FieldKey) -> None:
        """Register the leaf with this ``index`` in its document, under ``key``."""
        if leaf.rule:
            if leaf.part == "name":
                self._unsure.append(index)
            elif leaf.rule is not key.rule:
                self._inherited.append(index)
        elif leaf.key == "type" and leaf.text in _SCHEMA_TYPES:
            self._schemas.add(leaf.owner)

    def judge_by_context(self, leaves: list[JsonLeaf]) -> None:
        """Judge bare names, and values in a JSON Schema, by the other leaves."""
        for index in self._unsure:
            leaf = leaves[index]
            holds = self.holds.get(leaf.owner, "")
            shown = (
                "thing"
                if holds == "firm"
                else classify_owner(self.keys.get(leaf.owner, ())) or holds
            )
            if shown == "person" and not is_ordinary_word(leaf.text):
                leaves[index] = leaf.under(leaf.rule, leaf.part, leaf.owner, certain=True)
            elif shown == "thing":
                leaves[index] = leaf.under(None, leaf.part, leaf.owner, certain=leaf.certain)
        for index in self._inherited if self._schemas else ():
            leaf = leaves[index]
            if leaf.owner in self._schemas and leaf.key not in _SAMPLES:
                leaves[index] = leaf.under(None, leaf.part, leaf.owner, certain=leaf.certain)


_SCHEMA_TYPES = frozenset({"string", "object", "array", "integer", "number", "boolean", "null"})
"""Values of `type` in a JSON Schema (draft 2020-12, 6.1.1): the object describes a datum."""
_SAMPLES = frozenset({"default", "example", "examples", "const"})
"""Keys of a JSON Schema with sample data below them."""


_LITERAL = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)


def find_literals(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each string (keys too) and each number of a JSON text."""
    return (match.span() for match in _LITERAL.finditer(text))


def literal_value(literal: str) -> str:
    """Return the value of a string's literal, or a number unchanged."""
    return unescape_json(literal[1:-1]) if literal[0] == '"' else literal


def unescape_json(raw: str) -> str:
    """Return the value of a JSON string, given without its quotation marks."""
    if "\\" not in raw:
        return raw
    return str(json.loads(f'"{raw}"', strict=False))


_UNIT = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.DOTALL)


def character_origins(raw: str) -> list[int]:
    """Return the position in ``raw`` of each character of its value, and last its length.

    ``raw`` is a JSON string without its quotation marks.
    """
    return [*(match.start() for match in _UNIT.finditer(raw)), len(raw)]


def json_literal(value: str, *, ascii_only: bool) -> str:
    """Return a JSON string literal of ``value``."""
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return json.dumps(value, ensure_ascii=ascii_only)


def splice(text: str, parts: Sequence[tuple[int, int, str]]) -> str:
    """Return ``text`` with each ``(start, end, new)`` applied; parts are sorted and disjoint."""
    if not parts:
        return text
    pieces: list[str] = []
    copied = 0
    for start, end, new in parts:
        pieces += (text[copied:start], new)
        copied = end
    pieces.append(text[copied:])
    return "".join(pieces)
