"""JSON inside strings: its leaves, each with its key, its place in the text and what the key says.

The text is not parsed into objects and written again but read token by token, so that all that is
not replaced stays as it was, byte for byte: the order of keys, white space, the digits of a
number, a key that stands twice.
"""

import json
import re
from collections.abc import Iterator, Sequence
from fnmatch import translate

import msgspec

from redact.policy import KeyRules

HARMLESS = ""
"""What the rules say of a key whose values are never a number-like type."""

_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|([{}\[\]])|(-?[0-9][0-9.eE+-]*)', re.DOTALL)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s.-]+")
_MAX_KEYS = 20_000


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One string, number or key of a JSON text.

    ``start`` and ``end`` are the place of the literal in the text, quotation marks included.
    ``text`` is its value, ``key`` the key it stands under. ``rule`` is a type, ``HARMLESS``, or
    None where no rule speaks. ``owner`` numbers the object it stands in.
    """

    start: int
    end: int
    text: str
    key: str
    rule: str | None
    owner: int
    is_key: bool
    is_number: bool


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
        self._known: dict[str, str | None] = {}

    def rule(self, key: str) -> str | None:
        """Return the type of all that stands under ``key``, ``HARMLESS``, or None.

        A rule without a star wins over one with, and the personal ones over the harmless ones.
        """
        if key in self._known:
            return self._known[key]
        name = _SEPARATORS.sub("_", _CAMEL.sub("_", key)).lower()
        rule = self._exact.get(name, self._exact.get(name.replace("_", "")))
        if rule is None:
            rule = next((kind for pattern, kind in self._patterns if pattern.match(name)), None)
        if len(self._known) < _MAX_KEYS:
            self._known[key] = rule
        return rule

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


def leaves(text: str, book: KeyBook) -> Iterator[Leaf]:
    """Yield the leaves of a text for which :func:`is_json` holds.

    A rule on a key holds for all below it, until a rule on a deeper key says otherwise.
    """
    key, rule, owner, owners = "", None, 0, 0
    stack: list[tuple[str, str | None, int]] = []
    pending: tuple[str, str | None] = ("", None)
    for match in _TOKEN.finditer(text):
        raw, colon, bracket, number = match.groups()
        if bracket is not None:
            if bracket in "{[":
                stack.append((key, rule, owner))
                key, rule = pending
                if bracket == "{":
                    owners += 1
                    owner = owners
            else:
                key, rule, owner = stack.pop()
                pending = (key, rule)
        elif colon is not None:
            name = unescape(raw)
            yield Leaf(
                match.start(),
                match.start() + len(raw) + 2,
                name,
                key,
                None,
                owner,
                is_key=True,
                is_number=False,
            )
            own = book.rule(name)
            pending = (name, rule if own is None else own)
        else:
            value = number if raw is None else unescape(raw)
            name, under = pending if pending[0] else (key, rule)
            yield Leaf(
                match.start(),
                match.end(),
                value,
                name,
                under,
                owner,
                is_key=False,
                is_number=raw is None,
            )


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
