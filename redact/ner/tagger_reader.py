"""Finds names with the tagger alone, which reads only around words that may be one."""

from collections.abc import Sequence

import numpy as np

from redact.ner.candidates import CANDIDATE, RARE
from redact.ner.exact import CHANCE_STEPS, Wholes
from redact.ner.reader import NamedSpan, group_texts
from redact.ner.spans import names_of
from redact.ner.tagger import SIZES, Tagger
from redact.ner.windows import CacheSizes, NumberedLine
from redact.ner.word_chances import WordChances


class TaggerReader:
    """Reads texts with a tagger; ``sizes`` are those of its caches."""

    def __init__(self, tagger: Tagger, sizes: CacheSizes = SIZES) -> None:
        self._tagger = tagger
        self.chances = WordChances(tagger, sizes)

    def names(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        """Return the names in each text, in order; see :class:`redact.ner.reader.NameReader`."""
        return [found for some in group_texts(texts) for found in self._some(some)]

    def _some(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        line = self.chances.line(texts)
        chances = self._around_candidates(line, texts)
        return names_of(texts, line.texts, chances, self._tagger.labels, self._tagger.outside)

    def _around_candidates(self, line: NumberedLine, texts: Sequence[str]) -> Wholes:
        """Return a row for each word; those that are not read are certainly no name."""
        least = np.full(len(line.numbers), CANDIDATE, np.uint8)
        for text, place in zip(texts, line.texts, strict=True):
            if text == text.lower():
                least[place] = RARE
        chances = np.zeros((len(line.numbers), self._tagger.tags), np.int16)
        chances[:, 0] = CHANCE_STEPS
        wanted = self.chances.words.candidacies[line.numbers] >= least
        unread = line.numbers > 0
        while len(positions := np.flatnonzero(wanted & unread)):
            rows = self.chances.of(line, positions)
            chances[positions] = rows
            unread[positions] = False
            named = positions[rows[:, 0] < self._tagger.outside]
            wanted[:] = False
            wanted[named - 1] = wanted[named + 1] = True
        return chances
