"""Word lists for keys, read from ``key_words.json`` and looked up without accents.

The file lists words of keys by meaning and language: types of personal data that a word or a
sequence of words names for `certain`, or only with a fitting value (`vague`); humans and other
roles with a name; things; words that turn a datum into a fact about it.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import IntFlag
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

_PARTICLES = frozenset(
    {
        "of",
        "the",
        "and",
        "de",
        "del",
        "della",
        "di",
        "do",
        "da",
        "dos",
        "das",
        "du",
        "des",
        "la",
        "le",
        "les",
        "el",
        "los",
        "las",
        "van",
        "het",
        "der",
        "den",
        "et",
        "und",
        "en",
        "и",
        "の",
        "的",
    }
)
_LETTERS_BETWEEN = frozenset({"d", "l", "y", "e", "i", "o", "a"})
"""One-letter particles between longer words: `d` in `nom d'utilisateur`, not in `d o b`."""
_AFTER_E = frozenset({"mail", "mails", "post", "mailadres", "mailadresse", "postadress"})
_FOREIGN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts that are written without spaces between words."""
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "\u0131": "i"}
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


class WordCategory(IntFlag):
    """Categories of a word of a key; a word may have several, and its position decides."""

    NONE = 0
    HUMAN = 1
    ROLE = 2
    NAME = 4
    THING = 8
    ABOUT = 16
    ASKS = 32
    NEUTRAL = 64
    NUMBER = 128
    AMOUNT = 256
    SCHEMA = 512
    VERB = 1024
    FIRM = 2048


_CATS = {
    "human": WordCategory.HUMAN,
    "role": WordCategory.ROLE,
    "name": WordCategory.NAME,
    "thing": WordCategory.THING,
    "about": WordCategory.ABOUT,
    "asks": WordCategory.ASKS,
    "neutral": WordCategory.NEUTRAL,
    "number": WordCategory.NUMBER,
    "amount": WordCategory.AMOUNT,
    "schema": WordCategory.SCHEMA,
    "verb": WordCategory.VERB,
    "firm": WordCategory.FIRM | WordCategory.THING,
}


class KeyWord(msgspec.Struct, gc=False):
    """Meaning of a word or sequence of words: ``type`` if it names a personal datum.

    ``part`` is the part of a name: `given`, `family`, or empty.
    """

    cat: WordCategory = WordCategory.NONE
    type: str = ""
    part: str = ""
    certain: bool = False


class KeyWordLists(msgspec.Struct, gc=False):
    """All words: by sequence, and those that may be part of a compound.

    ``atoms`` are all single words, including those of sequences; ``longest`` is the number of words
    in the longest sequence. ``pieces`` are parts of compounds, ``tails`` may end any word,
    ``foreign`` are words of scripts without spaces. ``beside`` are keys that only things have;
    below ``wording`` keys have texts about them, such as labels and errors.
    """

    by_words: dict[tuple[str, ...], KeyWord]
    atoms: frozenset[str]
    beside: frozenset[tuple[str, ...]]
    wording: frozenset[tuple[str, ...]]
    longest: int
    pieces: frozenset[str]
    tails: frozenset[str]
    foreign: dict[str, tuple[str, ...]]


def fold_letters(text: str) -> str:
    """Return a text in lower case without accents: `Prénom` is `prenom`, `Straße` is `strasse`."""
    if text.isascii():
        return text.lower()
    lowered = unicodedata.normalize("NFKC", text).lower().translate(_LETTERS)
    if _FOREIGN.search(lowered):
        return lowered
    parts = unicodedata.normalize("NFD", lowered)
    return "".join([c for c in parts if not unicodedata.combining(c)])


def drop_particles(tokens: list[str]) -> list[str]:
    """Return words without those that only join others (`of`, `de`, `van`)."""
    return [
        word
        for at, word in enumerate(tokens)
        if word not in _PARTICLES and not (word in _LETTERS_BETWEEN and _is_between(tokens, at))
    ]


def _is_between(tokens: list[str], at: int) -> bool:
    if not 0 < at < len(tokens) - 1 or len(tokens[at - 1]) < _SHORTEST_PIECE:
        return False
    return len(tokens[at + 1]) > _SHORTEST_PIECE and tokens[at + 1] not in _AFTER_E


@lru_cache(maxsize=1)
def load_key_words() -> KeyWordLists:
    """Return the words of the package's list, read once."""
    text = (resources.files("redact") / "key_words.json").read_text(encoding="utf-8")
    return _build_lists(json.loads(text))


def _build_lists(lists: Mapping[str, Any]) -> KeyWordLists:
    by_words: dict[tuple[str, ...], KeyWord] = {}
    for group in ("certain", "vague"):
        for kind, languages in lists[group].items():
            name, _, part = kind.partition(":")
            for phrase in _phrases(languages):
                word = by_words.setdefault(phrase, KeyWord())
                if not word.type:
                    word.type, word.part, word.certain = name, part, group == "certain"
    for group, cat in _CATS.items():
        for phrase in _phrases(lists[group]):
            word = by_words.setdefault(phrase, KeyWord())
            word.cat |= cat
    _add_compounds(by_words)
    pieces = frozenset(
        sequence[0]
        for sequence in by_words
        if len(sequence) == 1 and len(sequence[0]) >= _SHORTEST_PIECE
    )
    tails = frozenset(
        sequence for sequence in pieces if _ends_any_word(sequence, by_words[(sequence,)])
    )
    foreign = {"".join(sequence): sequence for sequence in by_words if _FOREIGN.search(sequence[0])}
    beside = frozenset(_phrases(lists["things beside"]))
    wording = frozenset(_phrases(lists["wording"]))
    atoms = frozenset(word for sequence in {*by_words, *beside, *wording} for word in sequence)
    return KeyWordLists(
        by_words, atoms, beside, wording, max(map(len, by_words)), pieces, tails, foreign
    )


_SHORTEST_PIECE = 3
_SHORTEST_TAIL = 7
_SHORT_TAILS = frozenset({"email", "mail"})


def _ends_any_word(text: str, word: KeyWord) -> bool:
    return word.certain and (len(text) >= _SHORTEST_TAIL or text in _SHORT_TAILS)


def _add_compounds(by_words: dict[tuple[str, ...], KeyWord]) -> None:
    """Add each sequence that names a datum as one word too: `firstname` beside `first name`."""
    for phrase, word in list(by_words.items()):
        if len(phrase) > 1 and (word.type or word.cat & (WordCategory.HUMAN | WordCategory.ROLE)):
            by_words.setdefault(("".join(phrase),), word)


def _phrases(languages: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for listed in languages.values():
        for phrase in listed.split(", "):
            for spelt in {phrase, phrase.lower().translate(_UMLAUTS)}:
                tokens = drop_particles(_split(fold_letters(spelt)))
                if tokens:
                    yield tuple(tokens)


def _split(phrase: str) -> list[str]:
    return [word for word in re.split(r"[^\w$]+|(?<=[^\W\d_])(?=[0-9])", phrase) if word]
