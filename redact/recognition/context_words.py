"""Looks up context words before a finding, with the same result as Presidio's.

Presidio splits the whole text, and checks the token at a finding's start and the five key words
before it. A token never spans white space, so it is enough to split the text before the finding,
word by word and backwards, until five key words are found.
"""

from functools import lru_cache

from redact.lexical.english_rules import english_stop_words
from redact.recognition.plain_tokens import english_tokens, is_punctuation

_KEY_WORDS = 6
"""The token at a finding's start, if it is a key word, and five before it; or six before it."""
LONGEST_WORD = 2_000
"""Only this much of a longer run without white space is split, around a finding."""

_Token = tuple[int, str, bool, bool]
"""Offset, lemma, whether it is a key word unchanged, and whether Presidio omits it."""


class ContextWords:
    """Checks whether a context word precedes a position in a text."""

    def __init__(self) -> None:
        self._split = lru_cache(maxsize=20_000)(self._tokens)
        self._pieces_of = lru_cache(maxsize=5_000)(self._pieces_of_word)
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
        left = _KEY_WORDS
        while end > 0 and left > 0:
            begin = _chunk_start(text, end)
            keys = self._key_words(text, lowered, begin, end, start) if begin < end else []
            for key in keys[:left]:
                if any([word in key for word in present]):  # noqa: C419  # faster so
                    return True
            left -= len(keys)
            end = begin
            while end > 0 and text[end - 1].isspace():
                end -= 1
            # spaCy attaches one space to the preceding word; the rest of the gap is a token.
            if begin - end > (1 if end > 0 and text[end : end + 1] == " " else 0):
                left -= 1
        return False

    def _key_words(self, text: str, lowered: str, begin: int, end: int, start: int) -> list[str]:
        """Return the key words of a chunk that begin at ``start`` or before, the last one first."""
        has_pieces = ":" in text
        return [
            lemma
            for offset, lemma, is_key, _ in self._split(text[begin:end])
            if begin + offset <= start
            and (is_key or (has_pieces and self._is_piece(lemma, text, lowered)))
        ]

    def _is_piece(self, lemma: str, text: str, lowered: str) -> bool:
        """Return whether Presidio adds a lemma as a key word when it splits another at a colon."""
        return _beside_colon(lemma, lowered) and lemma in self._pieces(text)

    def _pieces(self, text: str) -> frozenset[str]:
        """Return the pieces that Presidio adds as key words by splitting key words at colons."""
        if text == self._last[0]:
            return self._last[1]
        pieces: set[str] = set()
        for word in text.split():
            if ":" in word and len(word) <= LONGEST_WORD:
                pieces.update(self._pieces_of(word))
        self._last = (text, frozenset(pieces))
        return self._last[1]

    def _pieces_of_word(self, word: str) -> tuple[str, ...]:
        return tuple(
            [
                piece
                for _, lemma, is_key, is_skipped in self._split(word)
                if not is_key and not is_skipped and ":" in lemma
                for piece in lemma.split(":")
            ]
        )

    def _tokens(self, chunk: str) -> tuple[_Token, ...]:
        """Return the tokens of a chunk without white space, the last one first."""
        tokens: list[_Token] = []
        offset = 0
        for token in english_tokens().split(chunk):
            lemma = token.lower()
            skipped = self._is_skipped(lemma)
            is_key = ":" not in lemma and not skipped
            tokens.append((offset, lemma, is_key, skipped))
            offset += len(token)
        tokens.reverse()
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
    """Return where the run without white space that ends at ``end`` begins, if it is not longer."""
    limit = max(end - LONGEST_WORD, 0)
    begin = text.rfind(" ", limit, end) + 1 or limit
    words = text[begin:end].rsplit(None, 1)
    if not words or text[end - 1].isspace():
        return end
    return end - len(words[-1])
