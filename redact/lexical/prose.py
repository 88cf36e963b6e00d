"""Which strings of a JSON text are prose, in which a person may be named, and not data.

A model for names that reads the values of data (cities, products, codes) finds persons that are
none: of its findings in results of tools one in seven was right. So of JSON it reads only what a
person could have written as a sentence, and what a key calls a text.
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
    last_word = key.rpartition(".")[2].rpartition("_")[2].lower()
    if last_word in _TEXT_KEYS:
        return _LETTER.search(text) is not None
    return text.count(" ") >= _FEWEST_SPACES and _LOWER.search(text) is not None
