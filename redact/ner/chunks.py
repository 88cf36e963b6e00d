"""Cuts a long text where no name is likely to stand across the cut.

A model's memory grows with the text, and a tokeniser may take quadratic time over one endless
word; so no piece is longer than a limit, and endless words of plain ASCII, which hold no name that
a model could see, are left out.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_WORD = 200
"""ASCII characters without a space; more of them are no text of people (keys, encoded data)."""

_ENDLESS_WORD = re.compile(rf"[!-~]{{{LONGEST_WORD + 1},}}")
# Borders, the best first. Lines come after sentences: an address may run over several lines.
_BORDERS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"[.!?…。]['\")\]]*\s"),
    re.compile(r"\n"),
    re.compile(r"\s"),
)


class Chunk(NamedTuple):
    """The characters ``start`` up to ``end`` of a text."""

    start: int
    end: int


def chunks(text: str, limit: int) -> Iterator[Chunk]:
    """Yield the pieces of ``text`` in order, none longer than ``limit`` characters.

    They cover all of the text but its endless words. A piece ends at the last best border of its
    second half: an empty line, else the end of a sentence, of a line, of a word; a text without
    any is cut at the limit.
    """
    start = 0
    for word in _ENDLESS_WORD.finditer(text):
        yield from _pieces(text, start, word.start(), limit)
        start = word.end()
    yield from _pieces(text, start, len(text), limit)


def _pieces(text: str, start: int, end: int, limit: int) -> Iterator[Chunk]:
    while end - start > limit:
        cut = _border(text, start + limit // 2, start + limit)
        yield Chunk(start, cut)
        start = cut
    if start < end:
        yield Chunk(start, end)


def _border(text: str, first: int, last: int) -> int:
    """Where to cut between ``first`` and ``last``: behind the last border of the best kind."""
    for border in _BORDERS:
        ends = [match.end() for match in border.finditer(text, first, last)]
        if ends:
            return ends[-1]
    return last
