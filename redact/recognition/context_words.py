"""Looks up context words before a finding, with the same result as Presidio's.

Presidio splits the whole text, and checks the token at a finding's start and the five key words
before it. A token never spans white space, so it is enough to split the text before the finding,
word by word and backwards, until five key words are found.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from redact.lexical.english_rules import english_stop_words
from redact.recognition.plain_tokens import english_tokens, is_punctuation

_PREFIX_WORDS = 5
_WORD = re.compile(r"\S+")
LONGEST_WORD = 2_000
"""Only this much of a longer run without white space is split, around a finding."""

_Token = tuple[int, str, bool, bool]
"""Offset, lemma, whether it is a key word unchanged, and whether Presidio omits it."""


class ContextWords:
    """Checks whether a context word precedes a position in a text."""

    def __init__(self) -> None:
        self._split = lru_cache(maxsize=20_000)(self._tokens)
        self._last: tuple[str, frozenset[str]] = ("", frozenset())
        self._stop_words = english_stop_words()

    def supports(self, text: str, lowered: str, start: int, words: tuple[str, ...]) -> bool:
        """Return whether one of ``words`` is in the token at ``start`` or in a key word before it.

        ``words`` and ``lowered``, which is the text, are in lower case.
        """
        end = _chunk_end(text, start)
        present = [word for word in words if lowered.find(word, 0, end) >= 0]
        if not present:
            return False
        keys = self._key_words(text, lowered, start, end)
        return any(word in key for key in keys for word in present)

    def _key_words(self, text: str, lowered: str, start: int, end: int) -> list[str]:
        """Return the lemma at ``start`` if it is a key word, and up to five key words before it."""
        keys: list[str] = []
        for lemma, is_key in self._backwards(text, start, end):
            if is_key or (_beside_colon(lemma, lowered) and lemma in self._pieces(text)):
                keys.append(lemma)
                if len(keys) > _PREFIX_WORDS:
                    break
        return keys

    def _backwards(self, text: str, start: int, end: int) -> Iterator[tuple[str, bool]]:
        """Yield (lemma, is a key word) from the token that holds ``start`` back to the first."""
        while end > 0:
            begin = _chunk_start(text, end)
            if begin < end:
                tokens = self._split(text[begin:end])
                for offset, lemma, is_key, _ in reversed(tokens):
                    if begin + offset <= start:
                        yield lemma, is_key
            end = begin
            while end > 0 and text[end - 1].isspace():
                end -= 1
            # spaCy attaches one space to the preceding word; the rest of the gap is a token.
            gap = begin - end - (1 if end > 0 and text[end : end + 1] == " " else 0)
            if gap > 0:
                yield "", True

    def _pieces(self, text: str) -> frozenset[str]:
        """Return the pieces that Presidio adds as key words by splitting key words at colons."""
        if ":" not in text:
            return frozenset()
        if text == self._last[0]:
            return self._last[1]
        pieces: set[str] = set()
        for match in _WORD.finditer(text):
            if ":" not in match[0] or len(match[0]) > LONGEST_WORD:
                continue
            for _, lemma, is_key, is_skipped in self._split(match[0]):
                if not is_key and not is_skipped and ":" in lemma:
                    pieces.update(lemma.split(":"))
        self._last = (text, frozenset(pieces))
        return self._last[1]

    def _tokens(self, chunk: str) -> tuple[_Token, ...]:
        """Split a chunk without white space."""
        tokens: list[_Token] = []
        offset = 0
        for token in english_tokens().split(chunk):
            lemma = token.lower()
            skipped = self._is_skipped(lemma)
            is_key = ":" not in lemma and not skipped
            tokens.append((offset, lemma, is_key, skipped))
            offset += len(token)
        return tuple(tokens)

    def _is_skipped(self, lemma: str) -> bool:
        """Return whether Presidio omits a lemma from its key words."""
        if lemma in ("-pron-", "be"):
            return lemma == "be"
        return lemma.lower() in self._stop_words or is_punctuation(lemma)


def _beside_colon(lemma: str, lowered: str) -> bool:
    """Return whether a lemma may be split off at a colon: only then the text is split."""
    return not lemma.isascii() or f"{lemma}:" in lowered or f":{lemma}" in lowered


def _chunk_end(text: str, start: int) -> int:
    end, limit = start, min(start + LONGEST_WORD, len(text))
    while end < limit and not text[end].isspace():
        end += 1
    return end


def _chunk_start(text: str, end: int) -> int:
    begin, limit = end, max(end - LONGEST_WORD, 0)
    while begin > limit and not text[begin - 1].isspace():
        begin -= 1
    return begin
