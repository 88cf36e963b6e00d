"""Assigns pairs to objects: those in one bracket, or else on one line or in one block."""

import re
from collections.abc import Sequence

from redact.pairs.pair import KeyValuePair, UnownedPair

_BRACKET = re.compile(r"[{}()\[\]]")
_OPENS = {"}": "{", ")": "(", "]": "["}
_MAX_BRACKETS = 64
_EMPHASIS = ("*", "_", "`", "~", '"', "'")
_BULLETS = ("-", "*", "+", "\u2022")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?\Z")


class _Block:
    """Lines of one indent that belong together. ``bulleted`` if the first is a list item."""

    __slots__ = ("bulleted", "indent", "keys", "owner")

    def __init__(self, indent: int, owner: int, keys: set[str], bulleted: bool) -> None:  # noqa: FBT001  # a plain record
        self.indent = indent
        self.owner = owner
        self.keys = keys
        self.bulleted = bulleted


def assign_owners(
    text: str, items: Sequence[UnownedPair], first: int
) -> tuple[list[KeyValuePair], int]:
    """Return the items, sorted by key position, as pairs, and the next free owner."""
    walk = _Brackets(text, first + 1)
    inner = [walk.at(item.at) for item in items]
    lines = _Lines(text, walk.last + 1)
    alone = _alone(text, items, inner)
    keys: dict[int, set[str]] = {}
    renamed: dict[int, int] = {}
    pairs: list[KeyValuePair] = []
    for index, item in enumerate(items):
        scope, bracket = inner[index]
        if not scope:
            owner = lines.owner(item, alone=alone[index])
        else:
            owner = renamed.get(scope, scope)
            scope_keys = keys.setdefault(scope, set())
            if not item.more and item.start >= 0:
                if item.key in scope_keys:
                    scope_keys.clear()
                    lines.last += 1
                    owner = renamed[scope] = lines.last
                scope_keys.add(item.key)
        if item.start >= 0:
            pairs.append(_pair(text, item, owner, bracket))
    return pairs, lines.last + 1


def _pair(text: str, item: UnownedPair, owner: int, bracket: str) -> KeyValuePair:
    form, quote = item.form, item.quote
    if form == "bare" and bracket and _NUMBER.match(item.value):
        if bracket == "(" and "=" in text[item.at + len(item.key) : item.start]:
            form, quote = "python_number", "'"
        elif bracket == "{":
            form, quote = "json_number", '"'
    return KeyValuePair(item.key, item.start, item.end, item.value, owner, form, quote)


def _alone(text: str, items: Sequence[UnownedPair], inner: Sequence[tuple[int, str]]) -> list[bool]:
    """Return for each item whether no other key outside of brackets is in the same line."""
    result = [True] * len(items)
    before = -1
    for index, item in enumerate(items):
        if inner[index][0] or item.more:
            continue
        if (
            before >= 0
            and "\n" not in text[items[before].at : min(item.at, items[before].at + 2_000)]
        ):
            result[index] = result[before] = False
        before = index
    return result


class _Bracket:
    """An open bracket. It contains no blank line, which would end it, up to ``checked``."""

    __slots__ = ("checked", "index", "sign")

    def __init__(self, sign: str, index: int, checked: int) -> None:
        self.sign = sign
        self.index = index
        self.checked = checked


class _Brackets:
    """Finds the innermost bracket at increasing positions."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._matches = _BRACKET.finditer(text)
        self._next = next(self._matches, None)
        self._stack: list[_Bracket] = []
        self._over = 0
        self.last = first

    def at(self, position: int) -> tuple[int, str]:
        """Return the number of the innermost bracket (0 for none), and its sign."""
        while self._next is not None and self._next.start() < position:
            self._step(self._next)
            self._next = next(self._matches, None)
        stack = self._stack
        while stack and stack[-1].sign != "{":
            blank = self._text.find("\n\n", stack[-1].checked, position)
            stack[-1].checked = position
            if blank < 0:
                break
            stack.pop()
        for bracket in reversed(stack):
            if bracket.sign != "[":
                return bracket.index, bracket.sign
        return 0, ""

    def _step(self, match: re.Match[str]) -> None:
        stack, sign = self._stack, match[0]
        if sign in _OPENS:
            if self._over:
                self._over -= 1
            elif any(bracket.sign == _OPENS[sign] for bracket in stack):
                while stack.pop().sign != _OPENS[sign]:
                    pass
        elif len(stack) >= _MAX_BRACKETS:
            self._over += 1
        else:
            self.last += 1
            stack.append(_Bracket(sign, self.last, match.end()))


class _Lines:
    """Joins lines into blocks, by blank lines, indents, bullets and repeated keys."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._blocks: list[_Block] = []
        self._line_owner = 0
        self._end = 0
        self._column = -1
        self.last = first

    def owner(self, item: UnownedPair, *, alone: bool) -> int:
        """Return the owner of an item outside of all brackets."""
        text = self._text
        if item.more and self._line_owner:
            return self._line_owner
        between = text[self._end : item.at]
        line = text.rfind("\n", max(item.at - 200, 0), item.at) + 1
        same = bool(self._line_owner) and "\n" not in between
        self._end = max(item.at, item.end)
        if not alone:
            self._blocks.clear()
            return self._line_owner if same else self._new()
        if len(between) > 2_000 or "\n\n" in between or "\n\r\n" in between:
            self._blocks.clear()
        return self._in_block(item, text[line : item.at])

    def _in_block(self, item: UnownedPair, lead: str) -> int:
        indent = len(lead.rstrip("*_`~\"'")) if lead[-1:] in _EMPHASIS else len(lead)
        bulleted = lead.strip(" \t\"'`_")[:1] in _BULLETS
        blocks = self._blocks
        column = len(lead) + len(item.key) if item.start >= 0 else -1
        if blocks and column == self._column:
            blocks[-1].indent = indent  # keys aligned to the right
        self._column = column
        while blocks and blocks[-1].indent > indent:
            blocks.pop()
        top = blocks[-1] if blocks else None
        if top is None or top.indent < indent:
            top = _Block(indent, self._new(), set(), bulleted)
            if len(blocks) < _MAX_BRACKETS:
                blocks.append(top)
        elif item.key in top.keys or (bulleted and not top.bulleted):
            top.owner, top.keys = self._new(), set()
        top.bulleted = bulleted
        top.keys.add(item.key)
        self._line_owner = top.owner
        return top.owner

    def _new(self) -> int:
        self.last += 1
        self._line_owner = self.last
        return self.last
