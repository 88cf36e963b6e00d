"""Given names from sixty languages, to distinguish `I'm Sofia` from `I'm sorry`.

The list (`given_names.txt`, in lower case and without diacritics) is drawn from the name lists of
Faker (MIT, see `given_names.LICENSE`), without names that are everyday words.
"""

import re
from collections.abc import Collection
from importlib import resources
from typing import Final

from redact.lexical.scripts import strip_diacritics

_FILE: Final = resources.files("redact") / "given_names.txt"
_WORDS = """
    april art august bill christian dan dawn dean dee dick drew earl eve faith frank gene grace
    grant guy harper heather holly hope hunter ivy jack jade jan jay jean joy june lee mac mark
    mason max may mercy miles olive page paige pat penny ray reed rich rob robin
    rose ruby sandy sky sonny sue summer terry tom victor violet will
    alli angel buena caro cher clair crystal deja dusty felice franc hoy leider mai mal merry misty
    noble ora precious sola stormy toi vero
"""
_WORDS_TOO: Final = frozenset(_WORDS.split())
"""Names that are also words: they are names only with a capital."""
_NAMES: Final = frozenset(_FILE.read_text(encoding="utf-8").split()) - _WORDS_TOO


def is_given_name(word: str) -> bool:
    """Return whether a word is a given name; some words are names only with a capital."""
    folded = strip_diacritics(word).lower().strip(".")
    return folded in _NAMES or (folded in _WORDS_TOO and word[:1].isupper())


_FIRST: Final = re.compile(r"[^\W\d_]{1,24}")


def has_given_name_after(text: str, endings: Collection[str]) -> bool:
    """Return whether a given name follows a space, and before it the last two letters of a phrase.

    ``endings`` are in lower case; a comma or colons may follow them. Beyond ASCII any word counts.
    """
    parts = text.split(" ")
    any_ending = not text.isascii()
    before = parts[0]
    seen: set[str] = set()
    for index in range(1, len(parts)):
        part = parts[index]
        if part and (any_ending or before[-3:].rstrip(",:")[-2:].lower() in endings):
            word = _FIRST.match(part)
            if word is not None and word[0] not in seen:
                if is_given_name(word[0]):
                    return True
                seen.add(word[0])
        before = part
    return False


_CAPITAL: Final = r"[^\W\d_a-z]"
_FULL_NAME: Final = re.compile(
    rf"({_CAPITAL}[^\W\d_]{{1,24}})(?:-{_CAPITAL}[^\W\d_]{{1,24}})?"
    rf"(?:[ ]{_CAPITAL}(?:\.|[^\W\d_]{{0,24}}(?:['\u2019-][^\W\d_]{{2,24}})?)){{1,3}}"
)


def is_full_name(text: str) -> bool:
    """Return whether a text is a given name, which is no word, with a surname, in capitals."""
    match = _FULL_NAME.fullmatch(text)
    return match is not None and is_given_name(match[1].lower())
