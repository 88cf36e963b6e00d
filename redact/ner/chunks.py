"""Cuts a long text where no name is likely to stand across the cut.

A model's memory grows with the text, and a tokeniser takes quadratic time over one endless word.
So no piece is longer than a limit, an endless word is cut finer still, and what no model could see
a name in is left out: endless words of plain ASCII, and pieces without a letter or digit.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_WORD = 200
"""Characters without a space. More of them, in ASCII, are no text of people: keys, encoded data."""

_ENDLESS_WORD = re.compile(rf"(?<!\S)\S{{{LONGEST_WORD + 1},}}")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
# Borders, the best first. Lines come after sentences: an address may run over several lines.
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

    They cover all of the text that may hold a name. A piece ends at the last best border of its
    second half: an empty line, else the end of a sentence, of a line, of a word; a text without
    any is cut at the limit.
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
    """Where to cut between ``first`` and ``last``: behind the last border of the best kind."""
    for border in _BORDERS:
        ends = [match.end() for match in border.finditer(text, first, last)]
        if ends:
            return ends[-1]
    return last
