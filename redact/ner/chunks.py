"""Cuts a long text at positions that are unlikely to be inside a name.

A model's memory grows with the text, and a tokeniser takes quadratic time for an endless word. So
no piece is longer than a limit, and an endless word is cut into smaller pieces. Text that cannot
contain a name is skipped: endless words of plain ASCII, and pieces without a letter or digit.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_WORD = 200
"""Longest run without a space that is prose; longer ASCII runs are keys or encoded data."""

_ENDLESS_WORD = re.compile(rf"(?<!\S)\S{{{LONGEST_WORD + 1},}}")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
# Borders, the best first. Lines come after sentences: an address may span several lines.
_BORDERS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"[.!?…。]['\")\]]*\s"),
    re.compile(r"\n"),
    re.compile(r"\s"),
)


class TextChunk(NamedTuple):
    """The characters ``start`` up to ``end`` of a text."""

    start: int
    end: int


def cut_chunks(text: str, limit: int) -> Iterator[TextChunk]:
    """Yield the pieces of ``text`` in order, none longer than ``limit`` characters.

    They cover all of the text that may contain a name. A piece ends at the last border of the best
    kind in its second half: an empty line, else the end of a sentence, of a line, of a word. A text
    without any is cut at the limit.
    """
    start = 0
    for word in _ENDLESS_WORD.finditer(text):
        yield from _pieces(text, start, word.start(), limit)
        if not word[0].isascii():
            yield from _pieces(text, word.start(), word.end(), min(limit, LONGEST_WORD))
        start = word.end()
    yield from _pieces(text, start, len(text), limit)


def _pieces(text: str, start: int, end: int, limit: int) -> Iterator[TextChunk]:
    while start < end:
        cut = end if end - start <= limit else _border(text, start + limit // 2, start + limit)
        if _LETTER_OR_DIGIT.search(text, start, cut):
            yield TextChunk(start, cut)
        start = cut


def _border(text: str, first: int, last: int) -> int:
    """Return where to cut from ``first`` to ``last``: after the last border of the best kind."""
    for border in _BORDERS:
        ends = [match.end() for match in border.finditer(text, first, last)]
        if ends:
            return ends[-1]
    return last
