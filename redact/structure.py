"""JSON inside strings: its leaves, each with its key, its place in the text and what the key says.

The text is not parsed into objects and written again but read token by token, so that all that is
not replaced stays as it was, byte for byte: the order of keys, white space, the digits of a
number, a key that stands twice.
"""

import json
import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from typing import Literal

import msgspec

from redact.policy import KeyRules

HARMLESS = ""
"""What the rules say of a key whose values are never a number-like type."""

_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|([{}\[\]])|(-?[0-9][0-9.eE+-]*)', re.DOTALL)
_STRING, _COLON, _BRACKET = 1, 2, 3
"""Groups of a token: the last that matched says what it is."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s.-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z_$.-]{0,63}(?:[0-9]{1,3})?\Z")
_WORDS = re.compile(r"[\s_.-]+|(?<=[a-z])(?=[A-Z])")
_MAX_KEYS = 20_000


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One string or number of a JSON text, or a key in which something personal could stand.

    ``start`` and ``end`` are the place of the literal in the text, quotation marks included.
    ``text`` is its value, ``key`` the key it stands under and ``label`` that key in words. ``rule``
    is a type, ``HARMLESS``, or None where no rule speaks. ``owner`` numbers the object it is in.
    """

    start: int
    end: int
    text: str
    key: str
    label: str
    rule: str | None
    owner: int
    kind: Literal["string", "number", "key"]


class Key(msgspec.Struct, frozen=True, gc=False):
    """What is known of a key: its name, what the rules say of it, and its words.

    ``plain`` keys are words: nothing personal stands in one by itself.
    """

    name: str
    rule: str | None
    label: str
    plain: bool


_NO_KEY = Key("", None, "", plain=True)


class KeyBook:
    """Answers what the rules of a policy say of a key, and remembers the answer."""

    def __init__(self, rules: KeyRules) -> None:
        patterns: list[tuple[re.Pattern[str], str]] = []
        self._exact: dict[str, str] = {}
        for harmless in rules.harmless:
            self._add(harmless, HARMLESS, patterns)
        for key, kind in rules.personal.items():
            self._add(key, kind, patterns)
        self._patterns = patterns
        self.known: dict[str, Key] = {}

    def rule(self, key: str) -> str | None:
        """Return the type of all that stands under ``key``, ``HARMLESS``, or None.

        A rule without a star wins over one with, and the personal ones over the harmless ones.
        """
        name = _SEPARATORS.sub("_", _CAMEL.sub("_", key)).lower()
        rule = self._exact.get(name, self._exact.get(name.replace("_", "")))
        if rule is None:
            rule = next((kind for pattern, kind in self._patterns if pattern.match(name)), None)
        return rule

    def key(self, raw: str) -> Key:
        """Return what is known of a key, given as it stands between its quotation marks."""
        known = self.known.get(raw)
        if known is None:
            name = unescape(raw)
            plain = _PLAIN_KEY.match(name) is not None
            known = Key(name, self.rule(name), _WORDS.sub(" ", name) + ": ", plain)
            if len(self.known) < _MAX_KEYS:
                self.known[raw] = known
        return known

    def _add(self, key: str, rule: str, patterns: list[tuple[re.Pattern[str], str]]) -> None:
        name = _SEPARATORS.sub("_", _CAMEL.sub("_", key)).lower()
        if "*" in name:
            patterns.insert(0 if rule else len(patterns), (re.compile(translate(name)), rule))
        else:
            self._exact[name] = rule
            self._exact[name.replace("_", "")] = rule


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


def leaves(text: str, book: KeyBook) -> list[Leaf]:
    """Return the leaves of a text for which :func:`is_json` holds.

    A rule on a key holds for all below it, until a rule on a deeper key says otherwise.
    """
    found: list[Leaf] = []
    under, rule, owner, owners = _NO_KEY, None, 0, 0
    stack: list[tuple[Key, str | None, int]] = []
    key, own = _NO_KEY, None  # of the value that comes next
    known = book.known
    for match in _TOKEN.finditer(text):
        group = match.lastindex
        if group == _COLON:
            raw = match[1]
            key = known.get(raw) or book.key(raw)
            own = rule if key.rule is None else key.rule
            if not key.plain:
                start = match.start()
                end = start + len(raw) + 2
                found.append(Leaf(start, end, key.name, under.name, "", None, owner, "key"))
        elif group != _BRACKET:
            start, end = match.span()
            above, says = (key, own) if key.name else (under, rule)
            value = match[group or 0]
            kind: Literal["string", "number"] = "number"
            if group == _STRING:
                kind, value = "string", unescape(value)
            found.append(Leaf(start, end, value, above.name, above.label, says, owner, kind))
        elif match[_BRACKET] in "{[":
            stack.append((under, rule, owner))
            under, rule = key, own
            if match[_BRACKET] == "{":
                owners += 1
                owner = owners
        else:
            under, rule, owner = stack.pop()
            key, own = under, rule
    return found


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
