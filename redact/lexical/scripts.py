"""Letters of all scripts: word boundaries, with or without spaces, and removal of diacritics.

A letter of another script is not part of a word: a Latin name begins at its capital after Han
letters. Scripts without spaces (Han, Kana, Thai, …) have no word boundaries of their own, so every
position is one.
"""

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import Final

_NONE, _LATIN, _GREEK, _CYRILLIC, _ARMENIAN, _HEBREW, _ARABIC, _INDIC, _HANGUL, _OPEN = range(10)
_BLOCKS: Final = (
    (0x0000, _LATIN),
    (0x0370, _GREEK),
    (0x0400, _CYRILLIC),
    (0x0530, _ARMENIAN),
    (0x0590, _HEBREW),
    (0x0600, _ARABIC),
    (0x0900, _INDIC),
    (0x0E00, _OPEN),
    (0x10A0, _NONE),
    (0x1100, _HANGUL),
    (0x1200, _NONE),
    (0x1780, _OPEN),
    (0x1800, _NONE),
    (0x1E00, _LATIN),
    (0x1F00, _GREEK),
    (0x2000, _NONE),
    (0x2E80, _OPEN),
    (0xAC00, _HANGUL),
    (0xD7B0, _NONE),
    (0xF900, _OPEN),
    (0xFB00, _NONE),
    (0xFF00, _LATIN),
    (0xFF66, _OPEN),
    (0xFFE0, _NONE),
    (0x20000, _OPEN),
    (0x323B0, _NONE),
)
"""First code points of Unicode ranges, with their script; `_OPEN` has no spaces."""

_STARTS: Final = tuple(start for start, _ in _BLOCKS)


@lru_cache(maxsize=4_096)
def _script(character: str) -> int:
    return _BLOCKS[bisect_right(_STARTS, ord(character)) - 1][1]


def are_joined(before: str, after: str) -> bool:
    """Return whether two adjacent characters belong to one word; False if one is empty."""
    if not before or not after or not before.isalnum() or not after.isalnum():
        return False
    if before.isascii() and after.isascii():
        return True
    script = _script(before)
    return script != _OPEN and script == _script(after)


def strip_diacritics(text: str) -> str:
    """Return a text without diacritics (``Müller`` becomes ``Muller``)."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))
