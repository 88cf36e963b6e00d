"""Reads quoted keys with a colon: JSON, and the ``repr`` of a Python dictionary, anywhere.

No document is parsed, so JSON may be truncated, broken, in prose, one per line, or in a string with
escaped quotation marks.
"""

import re
from collections.abc import Iterator

from redact.pairs.escapes import read_value
from redact.pairs.items import ValueLiteral
from redact.pairs.literals import STRINGS, read_call, read_list, read_number, read_string
from redact.pairs.pair import UnownedPair, ValueForm

_KEY = re.compile(
    r"""("|'|\\{1,7}["'])((?:[^"'\\\n]|\\++[^"'\\\n]){1,100}+)\1(?:\s{0,40}+(?::(?!:)|=>)|\]\s{0,5}+=(?!=)>?)"""
    r"""\s{0,80}+(?:string\([0-9]{1,6}+\)[ ])?"""
    r"""(?:"([^"\\\n]*+)"(?=[\s,}\])]|\Z)|(-?[0-9]++(?:\.[0-9]++)?)(?=[\s,}\]]|\Z))?+"""
)
_BARE = re.compile(r"[^\s,{}\[\]\"'\\#][^,{}\[\]\"'\n\\]{0,200}+")
_WORDS = frozenset({"true", "false", "null", "none", "nan", "undefined"})


def read_quoted_keys(text: str) -> Iterator[UnownedPair]:
    """Yield the values of quoted keys in order: numbers and strings, including those of lists."""
    position, size = 0, len(text)
    search = _KEY.search
    while position < size:
        match = search(text, position)
        if match is None:
            return
        mark, key = match[1], match[2]
        if "\\" in key:
            key = read_value(key, "json_string", len(mark).bit_length())
        at = match.start()
        position = match.end()
        if match.lastindex == 3 and len(mark) == 1:
            start, end = match.span(3)
            yield UnownedPair(key, at, start, end, match[3], "json_string")
            continue
        if match.lastindex == 4 and len(mark) == 1:
            start, end = match.span(4)
            form: ValueForm = "python_number" if mark == "'" else "json_number"
            yield UnownedPair(key, at, start, end, match[4], form, mark)
            continue
        begin = position
        if match[3] is not None:
            begin = match.start(3) - 1
        elif match[4] is not None:
            begin = match.start(4)
        more = False
        for literal in _values(text, begin, mark):
            yield pair_of_literal(key, at, literal, more=more)
            position, more = literal.after, True
        if not more:
            position = max(begin, match.end(2) + 1)


def _values(text: str, position: int, mark: str) -> list[ValueLiteral]:
    first = text[position : position + 1]
    if first == "[":
        return read_list(text, position, mark)
    if not first or first in "{,}])":
        return []
    literal = (
        read_string(text, position)
        or read_number(text, position, mark)
        or read_call(text, position, mark)
    )
    if literal is None:
        match = _BARE.match(text, position)
        if match is None or match[0].strip().lower() in _WORDS or "(" in match[0]:
            return []
        value = match[0].rstrip()
        literal = ValueLiteral(
            position, position + len(value), value, "bare", position + len(value), mark=mark
        )
    return [literal]


def pair_of_literal(key: str, at: int, literal: ValueLiteral, *, more: bool = False) -> UnownedPair:
    """Return the pair of a key and a literal; a non-string needs quotation marks if replaced."""
    quote = "" if literal.form in STRINGS.values() else literal.mark
    return UnownedPair(
        key, at, literal.start, literal.end, literal.value, literal.form, quote, more
    )
