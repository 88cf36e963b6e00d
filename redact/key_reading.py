"""What the words of a key say, one by one and by their place.

The last word (or sequence of words) that names a personal datum decides the type, and what follows
decides whether the key names the datum or a fact about it: `customer_ssn_number` is a number of a
person, `ssn_required` is none. A word for any name is a person's if the words beside it say so.
"""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from redact.key_split import split
from redact.key_words import Cat, Word, Words

HARMLESS = ""
"""What the rules say of a key whose values are never a number-like type."""


Holds = Literal["person", "thing", "firm", "wording", ""]
"""What an object below a key is about: `firm` is a thing that has contact data of its own."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """What the words of a key say; the fields are those of :class:`redact.key_rules.Key`."""

    rule: str | None = None
    certain: bool = True
    part: str = ""
    below: Literal["all", "values"] = "all"
    inherits: bool = True
    shows: Literal["person", "thing", ""] = ""
    holds: Holds = ""


NOTHING_SAID = Said()


_HEXADECIMAL = re.compile(r"0[xX][0-9A-Fa-f]{1,16}")
Units = Sequence[tuple[str, Word]]
"""Words of a key, and sequences of them, each with what it says."""
_UNKNOWN = Word()
_DIGITS = Word(Cat.NEUTRAL)
_WHOSE = Cat.HUMAN | Cat.ROLE
_KNOWN_TAIL = Cat.NEUTRAL | Cat.HUMAN | Cat.ROLE
_OF_PERSONS = frozenset({"EMAIL_ADDRESS", "PHONE_NUMBER", "DATE_OF_BIRTH", "US_SSN", "NATIONAL_ID",
                         "MEDICAL_RECORD", "STREET_ADDRESS", "ZIP_CODE", "PERSON", "CREDIT_CARD",
                         "IBAN_CODE", "NRP", "AGE"})  # fmt: skip
"""Types that show that an object describes a person."""
_AGENT = re.compile(r"[a-z]{3,}(?:er|or|ee|ist|ian|ant|eur|rice|ador|adora|iste|ente)s?\Z")
"""Endings of words for persons who do something: `walker`, `dentist`, `referee`."""


def said_by(name: str, lists: Words) -> Said:
    """Return what the words of a key say."""
    tokens = split(name, lists) if not _HEXADECIMAL.fullmatch(name) else ()
    if not tokens:
        return NOTHING_SAID
    units = _units(tokens, lists)
    shows: Literal["person", "thing", ""] = ""
    if tuple(tokens) in lists.beside:
        shows = "thing"
    said = _decided(units)
    if said.rule == "SECRET" and name.isupper():
        said = msgspec.structs.replace(said, certain=True)  # the name of a variable: `GH_TOKEN`
    if said.rule and said.certain and said.rule in _OF_PERSONS:
        shows = "person"
    if len(units) == 1 and units[0][1].cat & Cat.SCHEMA and not said.rule:
        said = msgspec.structs.replace(said, inherits=False)
    holds: Holds = "wording" if tuple(tokens) in lists.wording else said.holds
    return msgspec.structs.replace(said, shows=shows, holds=holds)


def _units(tokens: Sequence[str], lists: Words) -> list[tuple[str, Word]]:
    """Return the known sequences of words, the longest first, and each other word by itself.

    Of sequences that are equally long a telling one counts before others and the last one before
    those in front of it: `ip address` in `private_ip_address`.
    """
    for size in range(min(lists.longest, len(tokens)), 1, -1):
        at = _sequence(tokens, size, lists)
        if at is not None:
            taken = tuple(tokens[at : at + size])
            left, right = tokens[:at], tokens[at + size :]
            whole = (" ".join(taken), lists.by_words[taken])
            return [*_units(left, lists), whole, *_units(right, lists)]
    return [
        (token, lists.by_words.get((token,), _DIGITS if token.isdigit() else _UNKNOWN))
        for token in tokens
    ]


def _sequence(tokens: Sequence[str], size: int, lists: Words) -> int | None:
    """Return where the sequence of so many words begins that counts first, None without one."""
    other = None
    for at in range(len(tokens) - size, -1, -1):
        word = lists.by_words.get(tuple(tokens[at : at + size]))
        if word is not None:
            if word.type:
                return at
            other = at if other is None else other
    return other


def _decided(units: Units) -> Said:
    """Return what known and unknown words say together."""
    at = _telling(units)
    if at is None:
        return _untold(units)
    before = units[:at]
    if any(_is(one, Cat.ASKS) and not one[1].type for one in before):
        plain = all(_is(one, Cat.NEUTRAL | Cat.HUMAN) for one in before)
        if not (units[at][1].certain and plain):
            return _FACT
    return _datum(units, at) if units[at][1].type else _name(units, at)


def _telling(units: Units) -> int | None:
    """Return which word names the datum: the last, but a vague one gives way to a certain one."""
    told = [at for at, (_, word) in enumerate(units) if word.type or word.cat & Cat.NAME]
    certain = [at for at in told if units[at][1].certain]
    if certain and all(_says_where(units[at][1]) for at in range(certain[-1] + 1, len(units))):
        return certain[-1]
    return told[-1] if told else None


def _says_where(word: Word) -> bool:
    """Report whether a word behind a certain one says where or by whom that is used."""
    return bool(word.cat & _KNOWN_TAIL) or word.type in ("PHONE_NUMBER", "USER_ID")


def _is(unit: tuple[str, Word], cat: Cat) -> bool:
    return bool(unit[1].cat & cat)


_FACT = Said(inherits=False)
_HARMLESS = Said(HARMLESS, below="values", inherits=False)
_ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "identifier", "ref", "reference", "index"})
_WITH_IDS = frozenset({"PHONE_NUMBER", "STREET_ADDRESS", "SECRET", "PERSON", "CREDIT_CARD"})
"""Types whose entries have ids of their own: `address_id`, `token_id`."""


def _datum(units: Units, at: int) -> Said:
    """Decide for a key with a telling word: the datum itself, or a fact about it."""
    word = units[at][1]
    before, after = units[:at], units[at + 1 :]
    if (word.type == "PERSON" and not word.part and _is_of_a_thing(before)) or _is_width(
        word, after
    ):
        return _FACT
    for text, one in after:
        if not _repeats(word, text, one) and one.cat & ~Cat.VERB:
            return _HARMLESS if one.cat & Cat.AMOUNT and not one.cat & Cat.ABOUT else _FACT
    if after and after[-1][0] in _ID_WORDS and word.type in _WITH_IDS:
        return _HARMLESS
    if word.certain:
        begins = before[:1] and _is(before[0], Cat.VERB)
        known = all(one.cat or one.type or text in _KEY for text, one in after)
        return Said(word.type, bool(known and not begins), word.part)
    if len(units) > 1 and word.type in _TOO_VAGUE:
        return _around(word, [*before, *after])
    return _vague(word)


def _is_width(word: Word, after: Units) -> bool:
    """Report whether a number of bits stands behind a word: `addr64`, `zip64`."""
    return word.type in _WITH_WIDTH and any(text in _WIDTHS for text, _ in after)


_WITH_WIDTH = frozenset({"STREET_ADDRESS", "ZIP_CODE"})
_WIDTHS = frozenset({"16", "32", "64", "128"})
_KEY = frozenset({"key", "keys"})
_TOO_VAGUE = frozenset({"USER_ID", "CREDIT_CARD", "PHONE_NUMBER", "AGE", "VEHICLE_ID", "SECRET"})
"""Types that a vague word does not name beside any other word: `gift_card`, `cell_range`."""


def _repeats(word: Word, text: str, after: Word) -> bool:
    """Report whether a word behind the telling one leaves the datum what it is."""
    if after.cat & (Cat.ABOUT | Cat.SCHEMA) and not after.cat & Cat.NEUTRAL:
        return False
    if after.cat & _KNOWN_TAIL or after.type in (word.type, "USER_ID"):
        return True
    if word.type == "SECRET" and text in _KEY:
        return True
    return bool(after.cat & Cat.NUMBER) and not after.cat & Cat.THING


def _vague(word: Word) -> Said:
    if word.type == "USER_ID":
        return Said(word.type, certain=False, below="values", holds="person")
    return Said(word.type, certain=False, part=word.part)


def _is_of_a_thing(units: Units) -> bool:
    """Report whether words say whose name it is, and that it is a thing's."""
    things = any(_is(one, Cat.THING) and not _is(one, _KNOWN_TAIL) for one in units)
    return things and not any(_is(one, _WHOSE) for one in units)


def _around(word: Word, others: Units) -> Said:
    """Decide for a vague word with others: `customer_account` is one, `gift_card` none."""
    if word.type == "SECRET":
        if any(_is(one, Cat.AMOUNT | Cat.NUMBER | Cat.ASKS) for one in others):
            return _HARMLESS
        return _vague(word)
    if all(_is(one, _KNOWN_TAIL) for one in others):
        return _vague(word)
    return _HARMLESS if _is(others[-1], Cat.AMOUNT | Cat.NUMBER) else _FACT


def _name(units: Units, at: int) -> Said:
    """Decide for a key with a word for any name: it is a person's if it says whose."""
    before, after = units[:at], units[at + 1 :]
    if not before and not after:
        return Said("PERSON", certain=False, part="name")
    text, word = before[-1] if before else after[0]
    facts = any(_is(one, Cat.ABOUT | Cat.AMOUNT) and not _is(one, _KNOWN_TAIL) for one in after)
    if facts or (not _is_a_person(word) and _is_a_thing(word, before)):
        return _FACT
    if _is_a_person(word):
        sure = bool(word.cat & Cat.HUMAN) or not word.cat & Cat.ABOUT
        return Said("PERSON", sure, word.part)
    certain = any(_is(one, _WHOSE) for one in units)
    if word.cat & Cat.NEUTRAL:
        return Said("PERSON", certain, "" if certain else "name")
    return Said("PERSON", certain) if before and _AGENT.match(text) else _FACT


def _is_a_person(word: Word) -> bool:
    """Report whether a word beside one for a name says that it is a person's."""
    is_role = bool(word.cat & Cat.ROLE) and not word.cat & Cat.THING
    return is_role or bool(word.cat & Cat.HUMAN) or word.type == "PERSON"


def _is_a_thing(word: Word, before: Units) -> bool:
    """Report whether words beside one for a name say that it is a thing's."""
    known = word.type or word.cat & ~(Cat.NEUTRAL | Cat.VERB)
    return bool(known) or _is_of_a_thing(before)


def _untold(units: Units) -> Said:
    """Decide for a key without a telling word: a person by its role, a thing's number, a thing."""
    while len(units) > 1 and units[-1][1] is _DIGITS:
        units = units[:-1]
    text, last = units[-1]
    if last.cat & _WHOSE:
        return _role(units)
    holds: Holds = "thing" if last.cat & Cat.THING else ""
    if last.cat & Cat.FIRM:
        holds = "firm"
    if last.cat & (Cat.AMOUNT | Cat.NUMBER):
        repeats = len(units) == 1 and not last.cat & (Cat.AMOUNT | Cat.ABOUT)
        inherits = repeats and text not in _ID_WORDS
        return Said(HARMLESS, below="values", inherits=inherits, holds=holds)
    if last.cat & Cat.ABOUT or any(_is(one, Cat.ASKS) for one in units[:-1]):
        return Said(inherits=False, holds=holds)
    return Said(part=_PARTS.get(text, ""), holds=holds)


def _role(units: Units) -> Said:
    """Decide for a key that ends in a word for a person."""
    if any(_is(one, Cat.ASKS | Cat.THING) and not _is(one, _KNOWN_TAIL) for one in units):
        return Said(holds="person")
    sure = _is(units[-1], Cat.HUMAN) and not _is(units[-1], Cat.THING)
    return Said("PERSON", sure and not _is(units[0], Cat.VERB), below="values", holds="person")


_PARTS = {
    "first": "given",
    "given": "given",
    "middle": "given",
    "last": "family",
    "family": "family",
}
"""What the short keys of an object below `name` stand for."""
