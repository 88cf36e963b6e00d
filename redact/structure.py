"""JSON inside strings: its leaves, each with its key, its place in the text and what the key says.

The text is not parsed into objects and written again but read token by token, so that all that is
not replaced stays as it was, byte for byte: the order of keys, white space, the digits of a
number, a key that stands twice.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from redact.key_rules import NO_KEY, Key, KeyBook, shown_by

_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|([{}\[\]])|(-?[0-9][0-9.eE+-]*)', re.DOTALL)
_STRING, _COLON, _BRACKET = 1, 2, 3
"""Groups of a token: the last that matched says what it is."""


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One string or number of a JSON text, or a key in which something personal could stand.

    ``start`` and ``end`` are the place of the literal in the text, quotation marks included.
    ``text`` is its value, ``key`` the key it stands under and ``label`` that key in words. ``rule``
    is a type, ``HARMLESS``, or None where no rule speaks. ``owner`` numbers the object it is in.
    With ``certain`` the rule holds whatever the value, and ``part`` says which part of a name it
    is, as in :class:`redact.key_rules.Key`.
    """

    start: int
    end: int
    text: str
    key: str
    label: str
    rule: str | None
    owner: int
    kind: Literal["string", "number", "key"]
    certain: bool = True
    part: str = ""


def is_json(text: str) -> bool:
    """Tell whether a text is one JSON document that can hold leaves (object, array or string)."""
    stripped = text.lstrip()
    if stripped[:1] not in ("{", "[", '"'):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


class _Place(msgspec.Struct, gc=False):
    """Where in a document the next value stands: the key above, and what holds for it.

    ``rule``, ``certain`` and ``part`` are those of the value; ``own`` is the key itself.
    """

    own: Key
    rule: str | None
    certain: bool
    part: str
    owner: int


_TOP = _Place(NO_KEY, None, True, "", 0)


def leaves(text: str, book: KeyBook) -> list[Leaf]:
    """Return the leaves of a text for which :func:`is_json` holds.

    A rule on a key holds for all below it, until a rule on a deeper key says otherwise or the key
    is one that describes (`type`, `verified`). A bare `name` is judged by its neighbours.
    """
    found: list[Leaf] = []
    above = here = _TOP
    owners = 0
    stack: list[_Place] = []
    unsure: list[int] = []
    inherited: list[int] = []
    schemas: set[int] = set()
    objects: dict[int, set[Key]] = {}
    holds: dict[int, str] = {}
    known = book.known
    for match in _TOKEN.finditer(text):
        group = match.lastindex
        if group == _COLON:
            raw = match[1]
            key = known.get(raw) or book.key(raw)
            here = _under(above, key)
            if key.shows:
                objects.setdefault(above.owner, set()).add(key)
            if not key.plain:
                start = match.start()
                end = start + len(raw) + 2
                label = above.own.name
                found.append(Leaf(start, end, key.name, label, "", None, above.owner, "key"))
        elif group != _BRACKET:
            start, end = match.span()
            value = match[group or 0]
            kind: Literal["string", "number"] = "number"
            if group == _STRING:
                kind, value = "string", unescape(value)
            key = here.own
            if here.part == "name" and here.rule:
                unsure.append(len(found))
            elif here.rule and here.rule is not key.rule:
                inherited.append(len(found))
            elif key.name == "type" and value in _SCHEMA_TYPES:
                schemas.add(here.owner)
            found.append(
                Leaf(
                    start, end, value, key.name, key.label, here.rule, here.owner, kind,
                    here.certain, here.part,
                )
            )  # fmt: skip
        elif match[_BRACKET] in "{[":
            stack.append(above)
            above = here
            if match[_BRACKET] == "{":
                owners += 1
                if here.own.holds:
                    holds[owners] = here.own.holds
                reaches = here.own.below == "all"
                above = here = _Place(
                    here.own, here.rule if reaches else None, here.certain, here.part, owners
                )
        else:
            above = here = stack.pop()
    for index in unsure:
        leaf = found[index]
        shown = shown_by(objects.get(leaf.owner, ())) or holds.get(leaf.owner, "")
        if shown:
            found[index] = _judged(leaf, shown)
    for index in inherited if schemas else ():
        leaf = found[index]
        if leaf.owner in schemas and leaf.key not in _SAMPLES:
            found[index] = msgspec.structs.replace(leaf, rule=None)
    return found


_SCHEMA_TYPES = frozenset({"string", "object", "array", "integer", "number", "boolean", "null"})
"""Values of `type` in a JSON Schema (draft 2020-12, 6.1.1): the object describes a datum."""
_SAMPLES = frozenset({"default", "example", "examples", "const"})
"""Keys of a JSON Schema below which a datum may stand."""


def _under(above: _Place, key: Key) -> _Place:
    """Return the place of the value of ``key`` in the object at ``above``."""
    if key.rule is not None or not key.inherits:
        return _Place(key, key.rule, key.certain, key.part, above.owner)
    part = key.part if above.rule == "PERSON" else ""
    return _Place(key, above.rule, above.certain or part != "", part, above.owner)


def _judged(leaf: Leaf, shown: str) -> Leaf:
    """Return a leaf under a bare `name` in an object that describes a person or a thing."""
    if shown == "person":
        return msgspec.structs.replace(leaf, certain=True)
    return msgspec.structs.replace(leaf, rule=None)


_LITERAL = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)


def literals(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each string (keys too) and each number of a JSON text."""
    return (match.span() for match in _LITERAL.finditer(text))


def value_of(literal: str) -> str:
    """Return the value of a string's literal, or a number as it stands."""
    return unescape(literal[1:-1]) if literal[0] == '"' else literal


def unescape(raw: str) -> str:
    """Return the value of a JSON string, given without its quotation marks."""
    if "\\" not in raw:
        return raw
    return str(json.loads(f'"{raw}"', strict=False))


_UNIT = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.DOTALL)


def origins(raw: str) -> list[int]:
    """Return where in ``raw``, a JSON string without its quotation marks, each character of its
    value comes from; and, last, the length of ``raw``.
    """
    return [*(match.start() for match in _UNIT.finditer(raw)), len(raw)]


def literal(value: str, *, ascii_only: bool) -> str:
    """Return a JSON string literal of ``value``."""
    return json.dumps(value, ensure_ascii=ascii_only)


def spliced(text: str, parts: Sequence[tuple[int, int, str]]) -> str:
    """Return ``text`` with each ``(start, end, new)`` put in place; parts in order, disjoint."""
    if not parts:
        return text
    pieces: list[str] = []
    done = 0
    for start, end, new in parts:
        pieces += (text[done:start], new)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)
