"""Derives the meaning of a key from its words and their order.

The last word (or sequence of words) that names a personal datum decides the type. The words after
it decide whether the key names the datum or a fact about it: `customer_ssn_number` is a person's
number, `ssn_required` is not. A general word for a name means a person's name if the words beside
it say so.
"""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from redact.field_keys.key_splitting import split_key
from redact.field_keys.key_words import KeyWord, KeyWordLists, WordCategory

HARMLESS = ""
"""The rule of a key whose values are never of a number-like type."""


NamedHolder = Literal["person", "thing", "firm", "wording", ""]
"""What an object below a key describes: `firm` is a thing with contact data of its own."""


class KeyMeaning(msgspec.Struct, frozen=True, gc=False):
    """The meaning of a key; fields as in :class:`redact.field_keys.key_book.FieldKey`."""

    rule: str | None = None
    certain: bool = True
    part: str = ""
    reach: Literal["all", "values"] = "all"
    inherits: bool = True
    shows: Literal["person", "thing", ""] = ""
    holds: NamedHolder = ""


NO_MEANING = KeyMeaning()


_HEXADECIMAL = re.compile(r"0[xX][0-9A-Fa-f]{1,16}")
KeyUnits = Sequence[tuple[str, KeyWord]]
"""Words of a key, and sequences of words, each with its meaning."""
_UNKNOWN = KeyWord()
_DIGITS = KeyWord(WordCategory.NEUTRAL)
_WHOSE = WordCategory.HUMAN | WordCategory.ROLE
_KNOWN_TAIL = WordCategory.NEUTRAL | WordCategory.HUMAN | WordCategory.ROLE
_OF_PERSONS = frozenset({"EMAIL_ADDRESS", "PHONE_NUMBER", "DATE_OF_BIRTH", "US_SSN", "NATIONAL_ID",
                         "MEDICAL_RECORD", "STREET_ADDRESS", "ZIP_CODE", "PERSON", "CREDIT_CARD",
                         "IBAN_CODE", "NRP", "AGE"})  # fmt: skip
"""Types that show that an object describes a person."""
_AGENT = re.compile(r"[a-z]{3,}(?:er|or|ee|ist|ian|ant|eur|rice|ador|adora|iste|ente)s?\Z")
"""Endings of words for persons by their occupation: `walker`, `dentist`, `referee`."""


def read_key(name: str, lists: KeyWordLists) -> KeyMeaning:
    """Return the meaning of a key."""
    tokens = split_key(name, lists) if not _HEXADECIMAL.fullmatch(name) else ()
    if not tokens:
        return NO_MEANING
    units = _units(tokens, lists)
    shows: Literal["person", "thing", ""] = ""
    if tuple(tokens) in lists.beside:
        shows = "thing"
    meaning = _combine(units)
    if meaning.rule == "SECRET" and name.isupper():
        meaning = msgspec.structs.replace(
            meaning, certain=True
        )  # the name of a variable: `GH_TOKEN`
    if meaning.rule and meaning.certain and meaning.rule in _OF_PERSONS:
        shows = "person"
    if len(units) == 1 and units[0][1].cat & WordCategory.SCHEMA and not meaning.rule:
        meaning = msgspec.structs.replace(meaning, inherits=False)
    holds: NamedHolder = "wording" if tuple(tokens) in lists.wording else meaning.holds
    return msgspec.structs.replace(meaning, shows=shows, holds=holds)


def _units(tokens: Sequence[str], lists: KeyWordLists) -> list[tuple[str, KeyWord]]:
    """Return the known sequences of words, the longest first, and each other word by itself.

    Among sequences of equal length one that names a datum wins over others, then the last one wins:
    `ip address` in `private_ip_address`.
    """
    for size in range(min(lists.longest, len(tokens)), 1, -1):
        at = _sequence(tokens, size, lists)
        if at is not None:
            sequence = tuple(tokens[at : at + size])
            left, right = tokens[:at], tokens[at + size :]
            unit = (" ".join(sequence), lists.by_words[sequence])
            return [*_units(left, lists), unit, *_units(right, lists)]
    return [
        (token, lists.by_words.get((token,), _DIGITS if token.isdigit() else _UNKNOWN))
        for token in tokens
    ]


def _sequence(tokens: Sequence[str], size: int, lists: KeyWordLists) -> int | None:
    """Return the start of the winning sequence of ``size`` words, None if there is none."""
    other = None
    for at in range(len(tokens) - size, -1, -1):
        word = lists.by_words.get(tuple(tokens[at : at + size]))
        if word is not None:
            if word.type:
                return at
            other = at if other is None else other
    return other


def _combine(units: KeyUnits) -> KeyMeaning:
    """Return the combined meaning of known and unknown words."""
    at = _datum_index(units)
    if at is None:
        return _decide_unnamed(units)
    before = units[:at]
    if any(_is(unit, WordCategory.ASKS) and not unit[1].type for unit in before):
        plain = all(_is(unit, WordCategory.NEUTRAL | WordCategory.HUMAN) for unit in before)
        if not (units[at][1].certain and plain):
            return _FACT
    return _decide_datum(units, at) if units[at][1].type else _decide_name(units, at)


def _datum_index(units: KeyUnits) -> int | None:
    """Return the index of the word that names the datum: the last certain one, else the last."""
    telling = [
        at for at, (_, word) in enumerate(units) if word.type or word.cat & WordCategory.NAME
    ]
    certain = [at for at in telling if units[at][1].certain]
    if certain and all(_says_where(units[at][1]) for at in range(certain[-1] + 1, len(units))):
        return certain[-1]
    return telling[-1] if telling else None


def _says_where(word: KeyWord) -> bool:
    """Return whether a word after a certain one says where or by whom it is used."""
    return bool(word.cat & _KNOWN_TAIL) or word.type in ("PHONE_NUMBER", "USER_ID")


def _is(unit: tuple[str, KeyWord], cat: WordCategory) -> bool:
    return bool(unit[1].cat & cat)


_FACT = KeyMeaning(inherits=False)
_HARMLESS = KeyMeaning(HARMLESS, reach="values", inherits=False)
_ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "identifier", "ref", "reference", "index"})
_WITH_IDS = frozenset({"PHONE_NUMBER", "STREET_ADDRESS", "SECRET", "PERSON", "CREDIT_CARD"})
"""Types whose entries have ids of their own: `address_id`, `token_id`."""


def _decide_datum(units: KeyUnits, at: int) -> KeyMeaning:
    """Decide for a key that names a datum: the datum itself, or a fact about it."""
    word = units[at][1]
    before, after = units[:at], units[at + 1 :]
    if (word.type == "PERSON" and not word.part and _is_of_a_thing(before)) or _is_width(
        word, after
    ):
        return _FACT
    for text, word_after in after:
        if not _leaves_meaning(word, text, word_after) and word_after.cat & ~WordCategory.VERB:
            return (
                _HARMLESS
                if word_after.cat & WordCategory.AMOUNT and not word_after.cat & WordCategory.ABOUT
                else _FACT
            )
    if after and after[-1][0] in _ID_WORDS and word.type in _WITH_IDS:
        return _HARMLESS
    if word.certain:
        begins = before[:1] and _is(before[0], WordCategory.VERB)
        all_recognised = all(
            word_after.cat or word_after.type or text in _KEY for text, word_after in after
        )
        return KeyMeaning(word.type, bool(all_recognised and not begins), word.part)
    if len(units) > 1 and word.type in _TOO_VAGUE:
        return _decide_vague(word, [*before, *after])
    return _vague_meaning(word)


def _is_width(word: KeyWord, after: KeyUnits) -> bool:
    """Return whether a number of bits follows a word: `addr64`, `zip64`."""
    return word.type in _WITH_WIDTH and any(text in _WIDTHS for text, _ in after)


_WITH_WIDTH = frozenset({"STREET_ADDRESS", "ZIP_CODE"})
_WIDTHS = frozenset({"16", "32", "64", "128"})
_KEY = frozenset({"key", "keys"})
_TOO_VAGUE = frozenset({"USER_ID", "CREDIT_CARD", "PHONE_NUMBER", "AGE", "VEHICLE_ID", "SECRET"})
"""Types that a vague word names only on its own: not in `gift_card` or `cell_range`."""


def _leaves_meaning(word: KeyWord, text: str, after: KeyWord) -> bool:
    """Return whether a word after the one that names the datum leaves its meaning unchanged."""
    if (
        after.cat & (WordCategory.ABOUT | WordCategory.SCHEMA)
        and not after.cat & WordCategory.NEUTRAL
    ):
        return False
    if after.cat & _KNOWN_TAIL or after.type in (word.type, "USER_ID"):
        return True
    if word.type == "SECRET" and text in _KEY:
        return True
    return bool(after.cat & WordCategory.NUMBER) and not after.cat & WordCategory.THING


def _vague_meaning(word: KeyWord) -> KeyMeaning:
    if word.type == "USER_ID":
        return KeyMeaning(word.type, certain=False, reach="values", holds="person")
    return KeyMeaning(word.type, certain=False, part=word.part)


def _is_of_a_thing(units: KeyUnits) -> bool:
    """Return whether words show that a name is that of a thing."""
    things = any(_is(unit, WordCategory.THING) and not _is(unit, _KNOWN_TAIL) for unit in units)
    return things and not any(_is(unit, _WHOSE) for unit in units)


def _decide_vague(word: KeyWord, others: KeyUnits) -> KeyMeaning:
    """Decide for a vague word with others: `customer_account` is a datum, `gift_card` is not."""
    if word.type == "SECRET":
        if any(
            _is(unit, WordCategory.AMOUNT | WordCategory.NUMBER | WordCategory.ASKS)
            for unit in others
        ):
            return _HARMLESS
        return _vague_meaning(word)
    if all(_is(unit, _KNOWN_TAIL) for unit in others):
        return _vague_meaning(word)
    return _HARMLESS if _is(others[-1], WordCategory.AMOUNT | WordCategory.NUMBER) else _FACT


def _decide_name(units: KeyUnits, at: int) -> KeyMeaning:
    """Decide for a key with a general word for a name: a person's if other words say so."""
    before, after = units[:at], units[at + 1 :]
    if not before and not after:
        return KeyMeaning("PERSON", certain=False, part="name")
    text, word = before[-1] if before else after[0]
    facts = any(
        _is(unit, WordCategory.ABOUT | WordCategory.AMOUNT) and not _is(unit, _KNOWN_TAIL)
        for unit in after
    )
    if facts or (not _is_a_person(word) and _is_a_thing(word, before)):
        return _FACT
    if _is_a_person(word):
        sure = bool(word.cat & WordCategory.HUMAN) or not word.cat & WordCategory.ABOUT
        return KeyMeaning("PERSON", sure, word.part)
    certain = any(_is(unit, _WHOSE) for unit in units)
    if word.cat & WordCategory.NEUTRAL:
        return KeyMeaning("PERSON", certain, "" if certain else "name")
    return KeyMeaning("PERSON", certain) if before and _AGENT.match(text) else _FACT


def _is_a_person(word: KeyWord) -> bool:
    """Return whether a word beside one for a name shows that it is a person's."""
    is_role = bool(word.cat & WordCategory.ROLE) and not word.cat & WordCategory.THING
    return is_role or bool(word.cat & WordCategory.HUMAN) or word.type == "PERSON"


def _is_a_thing(word: KeyWord, before: KeyUnits) -> bool:
    """Return whether words beside one for a name show that it is a thing's."""
    has_meaning = word.type or word.cat & ~(WordCategory.NEUTRAL | WordCategory.VERB)
    return bool(has_meaning) or _is_of_a_thing(before)


def _decide_unnamed(units: KeyUnits) -> KeyMeaning:
    """Decide for a key that names no datum: a person by role, a number of a thing, a thing."""
    while len(units) > 1 and units[-1][1] is _DIGITS:
        units = units[:-1]
    text, last = units[-1]
    if last.cat & _WHOSE:
        return _decide_role(units)
    holds: NamedHolder = "thing" if last.cat & WordCategory.THING else ""
    if last.cat & WordCategory.FIRM:
        holds = "firm"
    if last.cat & (WordCategory.AMOUNT | WordCategory.NUMBER):
        repeats = len(units) == 1 and not last.cat & (WordCategory.AMOUNT | WordCategory.ABOUT)
        inherits = repeats and text not in _ID_WORDS
        return KeyMeaning(HARMLESS, reach="values", inherits=inherits, holds=holds)
    if last.cat & WordCategory.ABOUT or any(_is(unit, WordCategory.ASKS) for unit in units[:-1]):
        return KeyMeaning(inherits=False, holds=holds)
    return KeyMeaning(part=_PARTS.get(text, ""), holds=holds)


def _decide_role(units: KeyUnits) -> KeyMeaning:
    """Decide for a key that ends in a word for a person."""
    if any(
        _is(unit, WordCategory.ASKS | WordCategory.THING) and not _is(unit, _KNOWN_TAIL)
        for unit in units
    ):
        return KeyMeaning(holds="person")
    sure = _is(units[-1], WordCategory.HUMAN) and not _is(units[-1], WordCategory.THING)
    return KeyMeaning(
        "PERSON", sure and not _is(units[0], WordCategory.VERB), reach="values", holds="person"
    )


_PARTS = {
    "first": "given",
    "given": "given",
    "middle": "given",
    "last": "family",
    "family": "family",
}
"""The parts of a name that the short keys of an object below `name` mean."""
