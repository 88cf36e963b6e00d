"""The probabilities of tags for the words of texts, by the tagger, with bounded caches."""

from collections.abc import Sequence

import numpy as np

from redact.ner.exact import Wholes
from redact.ner.tagger import SIZES, Tagger
from redact.ner.windows import CacheSizes, NumberedLine, Positions
from redact.ner.words import WordRows


class WordChances:
    """Reads words with a tagger, with bounded caches of ``words`` and of ``windows``."""

    def __init__(self, tagger: Tagger, sizes: CacheSizes = SIZES) -> None:
        self.words = WordRows(tagger.vectors, tagger.width, sizes.words)
        self.windows = tagger.windows(sizes)
        self._cleared = self.words.cleared

    def line(self, texts: Sequence[str]) -> NumberedLine:
        """Return the words of texts as numbers, which are valid until the next call."""
        numbers = self.words.numbers(texts)
        if self.words.cleared != self._cleared:
            self.windows.clear()
            self._cleared = self.words.cleared
        return self.windows.line(numbers)

    def of(self, line: NumberedLine, positions: Positions) -> Wholes:
        """Return a row for each of some words of a line."""
        return self.windows.rows(line, positions, self.words.table)

    def of_text(self, text: str) -> Wholes:
        """Return a row for each word of a text."""
        line = self.line([text])
        return self.of(line, np.flatnonzero(line.numbers))
