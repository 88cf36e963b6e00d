"""Reads keys and values in columns: ``Email - x``, ``Name    x``, tabs, dots, ``--email x``."""

import re
from collections.abc import Iterator

from redact.pairs.field_words import is_field_name
from redact.pairs.literals import read_string
from redact.pairs.pair import UnownedPair
from redact.pairs.quoted_keys import pair_of_literal

_LINE = re.compile(
    r"^[ \t>]{0,40}+(?:[-*+\u2022][ \t]{1,4}+)?[*_`]{0,3}+"
    r"(?:[$#]?\{{1,2}+[ ]?)?"
    r"([^\W\d_][\w'\u2019/#.-]{0,40}+(?:[ ][\w'\u2019/#()&-]{1,40}+){0,3}?)[*_`]{0,3}+"
    r"(?:[ ]?\}{1,2}+)?"
    r"([ ]{1,8}+(?:[-\u2013\u2014]|->|\u2192)[ ]{1,8}+|[ ]?\.{3,80}+[ ]?"
    r"|\t[ \t]{0,40}+|[ ]{2,60}+)"
    r"([^\s|]{1,200}+(?:[ ][^\s|]{1,200}+){0,9}+)[ \t\r]*$",
    re.MULTILINE,
)
_OPTION = re.compile(r"-(?<!\S-)-?([^\W\d][\w-]{1,40}+)[ ]{1,4}+(?=[^\s-])")
_WORD = re.compile(r"[^\s\"'<>|;&]{1,500}+")
_GAPS = ("  ", "\t", " - ", "...", " -> ", " \u2013 ", " \u2014 ", " \u2192 ")
_TESTS = frozenset(["eq", "ne", "lt", "le", "gt", "ge", "nt", "ot", "ef"])
"""Shell comparisons, `[ $? -ne 0 ]`."""
_TRIM = ",;*_`|"


def has_columns(text: str) -> bool:
    """Return whether a line could contain a key and a value in columns, by the gap between them."""
    return any(gap in text for gap in _GAPS)


def read_columns(text: str) -> Iterator[UnownedPair]:
    """Yield the value of each line that is a key, a gap and a value."""
    for line in _LINE.finditer(text):
        start = line.start(3)
        value = line[3].strip(_TRIM)
        if line[3][0] in ":=" or (line[2].isspace() and value.islower() and is_field_name(value)):
            continue  # the line has a sign, or is a line of headings
        if value and any(map(str.isalnum, value)):
            start += len(line[3]) - len(line[3].lstrip(_TRIM))
            yield UnownedPair(line[1], line.start(1), start, start + len(value), value, "bare")


def read_options(text: str) -> Iterator[UnownedPair]:
    """Yield the values of command options: quoted, or a word."""
    for option in _OPTION.finditer(text):
        key, at, position = option[1], option.start(1), option.end()
        if key in _TESTS:
            continue
        literal = read_string(text, position)
        if literal is not None:
            if literal.closed:
                yield pair_of_literal(key, at, literal)
            continue
        word = _WORD.match(text, position)
        if word is not None:
            yield UnownedPair(key, at, position, word.end(), word[0], "bare")
