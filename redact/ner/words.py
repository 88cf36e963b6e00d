"""The words of texts as the model sees them, each worked out once and remembered, within bounds.

spaCy splits a text at white space, and each stretch between by rules that look at nothing else. So
the words of a stretch, and their vectors, are remembered under it: most of what people write has
been written before.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.tokens import Doc

Floats = npt.NDArray[np.float32]

# One space behind a word belongs to it; other white space is a word of its own.
_STRETCH = re.compile(r"\S+|\A\s+|(?! )\s+|(?<= )\s+")
_MOST_WORDS = 16_384
_TOGETHER = 256
"""Stretches that are split between two clearings of spaCy's memory."""


class _Stretch(NamedTuple):
    """The rows of the words of a stretch, and where each begins and ends in it."""

    rows: list[int]
    places: list[tuple[int, int]]


class Laid(NamedTuple):
    """The words of some texts, one below the other, with gaps before, between and behind.

    ``vectors`` has a row for each, of zeros in the gaps; ``blank`` are the words of white space;
    ``texts`` are the first row and the number of words of each text.
    """

    vectors: Floats
    blank: npt.NDArray[np.bool_]
    texts: list[tuple[int, int]]


class Words:
    """Splits texts into words as a pipeline does; ``vectors`` gives those of the words of Docs."""

    def __init__(
        self, nlp: Language, vectors: Callable[[Sequence[Doc]], list[Floats]], width: int
    ) -> None:
        self._nlp = nlp
        self._vectors = vectors
        self._width = width
        self._clear(0)

    def laid(self, texts: Sequence[str], gap: int) -> Laid:
        """Return the words of texts with ``gap`` rows between."""
        stretches = [_STRETCH.findall(text) for text in texts]
        self._learn({stretch for text in stretches for stretch in text})
        known = self._known
        empty = [0] * gap
        rows = [*empty]
        places = []
        for text in stretches:
            first = len(rows)
            for stretch in text:
                rows += known[stretch].rows
            places.append((first, len(rows) - first))
            rows += empty
        return Laid(self._table[rows], self._blank[rows], places)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Return where each word of a text that was laid last begins and ends."""
        return [
            (match.start() + start, match.start() + end)
            for match in _STRETCH.finditer(text)
            for start, end in self._known[match[0]].places
        ]

    def _clear(self, room: int) -> None:
        """Forget all, and make room for so many words; the first row stays empty."""
        room = 1 + max(_MOST_WORDS, room)
        self._known: dict[str, _Stretch] = {}
        self._table = np.zeros((room, self._width), np.float32)
        self._blank = np.zeros(room, np.bool_)
        self._used = 1

    def _learn(self, stretches: set[str]) -> None:
        new = stretches - self._known.keys()
        if not new:
            return
        if self._used + sum(map(len, new)) > len(self._table):
            new = stretches
            self._clear(sum(map(len, new)))
        blank = [stretch for stretch in new if stretch.isspace()]
        for stretch in blank:
            self._split([stretch])
        for some in _by(_TOGETHER, sorted(new.difference(blank))):
            self._split(some)

    def _split(self, stretches: Sequence[str]) -> None:
        """Split stretches of one sort into words, with one space between them."""
        with self._nlp.memory_zone():
            doc = self._nlp.make_doc(" ".join(stretches))
            self._table[self._used : self._used + len(doc)] = self._vectors([doc])[0]
            words = [(word.idx, word.idx + len(word)) for word in doc]
        first, start = 0, 0
        for stretch in stretches:
            end, last = start + len(stretch), first
            while last < len(words) and words[last][0] < end:
                last += 1
            rows = list(range(self._used, self._used + last - first))
            places = [(begin - start, stop - start) for begin, stop in words[first:last]]
            self._known[stretch] = _Stretch(rows, places)
            self._blank[rows] = stretch.isspace()
            self._used += last - first
            first, start = last, end + 1


def _by(size: int, items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
