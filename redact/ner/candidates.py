"""Tells which words may begin to be a name, so that the model reads a text only around these.

A candidate has a capital or is of a script without any, and is not an everyday first word of a
sentence; or it is a given name, or has a digit. In a text without capitals each rare word is one. A
name may have other words too (`de la`, signs), so those beside a word of a name are read as well.
"""

import json
from importlib import resources
from typing import Final

from redact.lexical.english_rules import english_stop_words
from redact.lexical.given_names import is_given_name
from redact.ner.model_format import VOCABULARY

_FOLDER: Final = resources.files("redact")
_FIRST_WORDS: Final = frozenset(word.replace("'", "") for word in english_stop_words()).union(
    json.loads((_FOLDER / "heading_words.json").read_text(encoding="utf-8"))
)
"""First words of sentences and headings in answers of models."""

EVERYDAY_WORDS: Final = _FIRST_WORDS.union(
    json.loads((_FOLDER / "everyday_words.json").read_text(encoding="utf-8"))
)
"""Those and words of chats, among them countries and days; not names of persons."""

USUAL_WORDS: Final = EVERYDAY_WORDS | {
    word
    for word in (_FOLDER / "ner" / "model" / VOCABULARY).read_text(encoding="utf-8").split()
    if len(word) >= 3 and word.isalpha() and not is_given_name(word)
}
"""Frequent words, which are a single piece for the model, without given names."""

NO_CANDIDATE: Final = 0
RARE: Final = 1
"""A candidate in a text without capitals."""
CANDIDATE: Final = 2

_SHORTEST_RARE: Final = 3
_COUNTRY: Final = "us"


def candidacy(word: str) -> int:
    """Return whether a word, a number or a sign is a candidate."""
    if not word[0].isalpha():
        return CANDIDATE if word[0].isdecimal() else NO_CANDIDATE
    lowered = word.lower()
    if lowered in _FIRST_WORDS and lowered != _COUNTRY:
        return NO_CANDIDATE
    if is_given_name(word):
        return CANDIDATE
    if word[0] != lowered[0] or not word[0].islower():
        return CANDIDATE if len(word) > 1 else NO_CANDIDATE
    rare = len(word) >= _SHORTEST_RARE and lowered not in USUAL_WORDS
    return RARE if rare else NO_CANDIDATE
