"""Reads values below a key that has none on its line: a block, a list, or one line."""

import re

from redact.pairs.items import KeySign
from redact.pairs.pair import MAX_VALUE, UnownedPair

BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*(?:#.*)?$", re.MULTILINE)
_LIST_LINE = re.compile(
    r"[ \t]{0,80}+(?:[-*+\u2022]|\d{1,3}[.)])[ \t]++(\S(?:[^\n]{0,300}[^\s,])?)[ \t\r,]*$",
    re.MULTILINE,
)
_LINE = re.compile(r"[ \t]{0,80}+(\S(?:[^\n]{0,100}[^\s,])?)[ \t\r,]*$", re.MULTILINE)
_NO_VALUE = "{[<|#"
_STATEMENT = re.compile(
    r"[ \t]*(?:async[ ])?(?:def|class|if|elif|for|while|with|except|match|case|switch|catch)[ (]"
)
"""First words of a line of source code that ends in a colon, before more source code."""
_MOST_LINES = 100


def read_lines_below(text: str, mark: KeySign, position: int, stop: int) -> list[UnownedPair]:
    """Return the items of the list that begins at a position, or the single line there.

    ``stop`` is the position of the next key; a line that contains it is not a value.
    """
    items: list[UnownedPair] = []
    if _is_statement(text, mark, position):
        return items
    for index in range(_MOST_LINES):
        line = _LIST_LINE.match(text, position)
        if line is None and not index:
            line = _LINE.match(text, position)
        if line is None or (line.end() >= stop and stop < len(text)):
            break
        start, end = line.span(1)
        if text[start] in _NO_VALUE or not text[start:end].strip("-=_*"):
            break
        if end - start > 2 and text[start] in "\"'`" and text[end - 1] == text[start]:
            start, end = start + 1, end - 1
        items.append(
            UnownedPair(mark.key, mark.at, start, end, text[start:end], "bare", more=index > 0)
        )
        position = line.end() + 1
        if line.re is _LINE:
            break
    return items


def _is_statement(text: str, mark: KeySign, below: int) -> bool:
    """Return whether a key ends a line of source code: the next line is indented deeper."""
    begin = text.rfind("\n", 0, mark.at) + 1
    if mark.sign != ":" or _STATEMENT.match(text, begin) is None:
        return False
    return _indent(text, below) > _indent(text, begin)


def _indent(text: str, position: int) -> int:
    end = position
    while text[end : end + 1] in (" ", "\t"):
        end += 1
    return end - position


def read_block_below(text: str, mark: KeySign, position: int) -> list[UnownedPair]:
    """Return a YAML block that begins at a position: the lines indented deeper than their key."""
    line = text.rfind("\n", max(mark.at - 200, 0), mark.at) + 1
    indent = mark.at - line - len(text[line : mark.at].lstrip(" "))
    stop = min(len(text), position + MAX_VALUE)
    first = last = -1
    while position < stop:
        end = text.find("\n", position, stop)
        end = stop if end < 0 else end
        words = text[position:end].lstrip(" ")
        if words.strip():
            if end - position - len(words) <= indent:
                break
            first = end - len(words) if first < 0 else first
            last = position + len(text[position:end].rstrip())
        position = end + 1
    if first < 0:
        return []
    return [UnownedPair(mark.key, mark.at, first, last, text[first:last], "bare")]
