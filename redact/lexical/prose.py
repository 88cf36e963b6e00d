"""Checks whether a string in JSON is prose, which may name a person, or data.

A name model that reads data (cities, products, codes) has false findings: in tool results, only one
finding in seven was right. So in JSON it reads only strings that a person could have written as a
sentence, and values that their key calls a text.
"""

import re
from typing import Final

_KEYS = """
    text content message messages body note notes comment comments description summary reason
    answer question query prompt input output response reply remark remarks feedback transcript
    details detail subject utterance narrative memo
"""
_TEXT_KEYS: Final = frozenset(_KEYS.split())
_LOWER: Final = re.compile(
    r"(?:^|[\s(\"'\u2018\u201c])[^\W\d_A-Z]{2,}(?=[\s,.!?;:)\"'\u2019\u201d]|$)"
)
_LETTER: Final = re.compile(r"[^\W\d_]{2}")
_FEWEST_SPACES: Final = 2


def is_prose(text: str, key: str) -> bool:
    """Return whether ``text``, a string under ``key`` (empty for none), may be a sentence."""
    last_word = key.removesuffix(".value").rpartition(".")[2].rpartition("_")[2].lower()
    if last_word in _TEXT_KEYS:
        return _LETTER.search(text) is not None
    return text.count(" ") >= _FEWEST_SPACES and _LOWER.search(text) is not None
