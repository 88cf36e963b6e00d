"""Splits a word into pieces of a fixed vocabulary: WordPiece, as in uncased BERT.

A word is lower-cased and stripped of accents; then its longest known prefix is cut off, repeatedly.
Pieces that do not begin a word are written ``##piece`` in the vocabulary. After Y. Wu et al.
(2016), *Google's Neural Machine Translation System*; the vocabulary is that of all-MiniLM-L6-v2.
"""

import unicodedata
from collections.abc import Sequence

UNKNOWN = "[UNK]"
_LONGEST = 100
"""Longest word that is split; a longer one is unknown."""


class WordPieces:
    """The pieces of words, as rows of ``vocabulary``, which must hold ``[UNK]``."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._first = {}
        self._later = {}
        for row, piece in enumerate(vocabulary):
            if piece.startswith("##"):
                self._later[piece[2:]] = row
            else:
                self._first[piece] = row
        self._unknown = self._first[UNKNOWN]
        self._longest = max(map(len, vocabulary))

    def of(self, word: str) -> list[int]:
        """Return the rows of a word's pieces, at least one."""
        plain = _plain(word)
        if plain in self._first:
            return [self._first[plain]]
        if len(plain) > _LONGEST:
            return [self._unknown]
        return self._split(plain) or [self._unknown]

    def _split(self, word: str) -> list[int]:
        rows: list[int] = []
        start = 0
        while start < len(word):
            known = self._later if start and not _stands_alone(word[start]) else self._first
            end = min(len(word), start + self._longest)
            while end > start and word[start:end] not in known:
                end -= 1
            rows.append(known[word[start:end]] if end > start else self._unknown)
            start = max(end, start + 1)
        return rows


def _plain(word: str) -> str:
    """Return a word in lower case without accents."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFD", word.lower())
    return "".join(part for part in parts if unicodedata.category(part) != "Mn")


def _stands_alone(letter: str) -> bool:
    """Return whether the vocabulary treats a letter as a word, as it does Chinese characters."""
    return "\u3400" <= letter <= "\u9fff"
