"""Splits texts into words with the features that the tagger reads, and caches them.

A word is a run of letters, a run of digits, or one sign. Besides its pieces the tagger uses its
*shape* (capitals, number of digits) and the *gap* before it (none, space, line break). The words of
a stretch without white space are cached by the stretch, because most stretches repeat.
"""

import re
from collections.abc import Callable, Sequence, Set
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from redact.ner.candidates import candidacy
from redact.ner.exact import Wholes

_STRETCH = re.compile(r"(\s*)(\S+)")
_LETTERS_OR_DIGITS = r"(?:[^\W\d_][\u0300-\u036f]*)+|\d+"
_WORD = re.compile(rf"{_LETTERS_OR_DIGITS}|.", re.DOTALL)
_WORD_OF_TEXT = re.compile(rf"{_LETTERS_OR_DIGITS}|\S")
"""The same for a whole text, where white space separates words."""

MOST_WORDS: Final = 16_384
"""The words that the cache holds, unless more come at once."""

NO_GAP, START, SPACE, WIDE, LINE, BLANK_LINE = range(6)
GAPS = 6
_DIGITS = 8
SHAPES = 18
"""0 is a sign; 1 to 7 are numbers of digits (7 means 7 or more); the others are letters."""

_SMALL, _TITLE, _INITIAL, _CAPITALS, _SHORT_CAPITALS, _MIXED = range(_DIGITS, _DIGITS + 6)
_NO_CASE = 14
_BEYOND_ASCII = {_SMALL: 15, _TITLE: 16, _MIXED: 17}


GappedStretch = tuple[str, str]
"""What stands before a stretch, and the stretch."""

_START: Final = "^"
_GAPS_BY_NUMBER: Final = ("", _START, " ", "\t", "\n", "\n\n")
"""A usual gap of each kind. Others are the same to the model."""
_USUAL_GAPS: Final = frozenset(_GAPS_BY_NUMBER)


class TextWord(NamedTuple):
    """A word of a stretch: its start and end there, its shape, and the gap before it."""

    start: int
    end: int
    text: str
    shape: int
    gap: int


def split_stretches(text: str) -> list[tuple[int, str]]:
    """Return the stretches of a text without white space, each with the gap before it."""
    found = _STRETCH.findall(text)
    gaps = [_gap(space) for space, _ in found]
    if gaps:
        gaps[0] = START
    return list(zip(gaps, (stretch for _, stretch in found), strict=True))


def split_words(gap: int, stretch: str) -> list[TextWord]:
    """Return the words of a stretch after a gap."""
    return [
        TextWord(
            match.start(),
            match.end(),
            match[0],
            word_shape(match[0]),
            NO_GAP if match.start() else gap,
        )
        for match in _WORD.finditer(stretch)
    ]


def word_shape(word: str) -> int:
    """Return which of the ``SHAPES`` a word has."""
    if word.isdecimal():
        return min(len(word), _DIGITS - 1)
    if not word[0].isalpha():
        return 0
    found = _case(word)
    return found if word.isascii() else _BEYOND_ASCII.get(found, found)


def _case(word: str) -> int:
    if word.islower():
        return _SMALL
    if not word[0].isupper():
        return _MIXED if word[0].islower() else _NO_CASE
    if len(word) == 1:
        return _INITIAL
    if word.isupper():
        return _SHORT_CAPITALS if len(word) < 4 else _CAPITALS
    return _TITLE if word[1:].islower() else _MIXED


def _gap(space: str) -> int:
    if space == _START:
        return START
    if space in ("", " "):
        return SPACE if space else NO_GAP
    breaks = space.count("\n") or space.count("\r")
    return (WIDE, LINE, BLANK_LINE)[min(breaks, 2)]


class WordRows:
    """Lays texts out as rows of vectors; ``vectors`` computes those of words.

    ``cleared`` counts how often the cache, which holds ``capacity`` words, was cleared.
    """

    def __init__(
        self,
        vectors: Callable[[Sequence[TextWord]], Wholes],
        width: int,
        capacity: int = MOST_WORDS,
    ) -> None:
        self._vectors = vectors
        self._width = width
        self._table, self.candidacies = _empty_rows(capacity, width)
        self.cleared = -1
        self._clear(0)

    @property
    def table(self) -> Wholes:
        """Return the vectors by number; the first one is empty."""
        return self._table

    @property
    def stretches(self) -> int:
        """Return how many stretches the cache holds."""
        return len(self._known)

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the numbers, above 0, of the words of texts.

        A number means the same word after the same gap while ``cleared`` does not change.
        """
        cut = [_gapped_stretches(text) for text in texts]
        known = self._known
        new = {stretch for text in cut for stretch in text if stretch not in known}
        if new:
            self._learn(new, cut)
            known = self._known
        return [[number for stretch in text for number in known[stretch]] for text in cut]

    def _clear(self, room: int) -> None:
        """Clear the cache, and make room for ``room`` words; the first row stays empty."""
        self._known: dict[GappedStretch, list[int]] = {}
        if 1 + room > len(self._table):
            self._table, self.candidacies = _empty_rows(room, self._width)
        self._used = 1
        self.cleared += 1

    def _learn(self, new: set[GappedStretch], texts: Sequence[Sequence[GappedStretch]]) -> None:
        """Add new stretches of texts; if there is no room, drop all but those of these texts."""
        words = _words_of(new)
        if self._used + sum(map(len, words.values())) > len(self._table):
            words = _words_of({stretch for text in texts for stretch in text})
            self._clear(sum(map(len, words.values())))
        for stretch, some in words.items():
            self._known[stretch] = list(range(self._used, self._used + len(some)))
            self._used += len(some)
        together = [word for some in words.values() for word in some]
        added = slice(self._used - len(together), self._used)
        self._table[added] = self._vectors(together)
        self.candidacies[added] = [candidacy(word.text) for word in together]


def _empty_rows(room: int, width: int) -> tuple[Wholes, npt.NDArray[np.uint8]]:
    """Return the vectors and the candidacies of ``room`` words; the first row is of none."""
    return np.zeros((1 + room, width), np.int16), np.zeros(1 + room, np.uint8)


def _words_of(stretches: Set[GappedStretch]) -> dict[GappedStretch, list[TextWord]]:
    return {found: split_words(_gap(found[0]), found[1]) for found in sorted(stretches)}


def _gapped_stretches(text: str) -> list[GappedStretch]:
    """Return the stretches of a text without white space, each with a usual gap before it."""
    found: list[GappedStretch] = _STRETCH.findall(text)
    if found:
        found[0] = (_START, found[0][1])
    return [
        pair if pair[0] in _USUAL_GAPS else (_GAPS_BY_NUMBER[_gap(pair[0])], pair[1])
        for pair in found
    ]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word of a text."""
    return [match.span() for match in _WORD_OF_TEXT.finditer(text)]
