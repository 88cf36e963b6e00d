"""What a key says of the value below it, read from its words.

A key is split into words; the last word (or sequence of words) that names a personal datum decides
its type, and what follows that decides whether the key names the datum or a fact about it:
`customer_ssn_number` is a number of a person, `ssn_required` is none. The rules of a policy stand
above the words.
"""

import json
import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Literal

import msgspec

from redact.key_words import Cat, Word, Words, folded, without_particles, words
from redact.policy import KeyRules

HARMLESS = ""
"""What the rules say of a key whose values are never a number-like type."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s.-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z_$.-]{0,63}(?:[0-9]{1,3})?\Z")
_LABEL = re.compile(r"[\s_.-]+|(?<=[a-z])(?=[A-Z])")
_MAX_KEYS = 20_000
_MAX_LENGTH = 120
"""Of a key of more characters only the last ones are read."""


class Key(msgspec.Struct, frozen=True, gc=False):
    """What is known of a key.

    ``name`` is the key, ``label`` its words before a colon, as context for what stands below.
    ``rule`` is a type, ``HARMLESS``, or None where nothing is known. ``plain`` keys are words:
    nothing personal stands in one by itself. With ``certain`` the key alone decides, otherwise the
    value must look like the type. ``part`` says which part of a name stands there: `given`,
    `family`, or `name` for a key that says no more than that. ``below`` says how far the rule
    reaches: to objects below the key (`all`) or only to values and lists (`values`).
    ``inherits`` is False where a rule of a key above does not hold. ``shows`` is what the key says
    of the object that it stands in, and ``holds`` what it says of an object below it.
    """

    name: str
    rule: str | None
    label: str
    plain: bool
    certain: bool = True
    part: str = ""
    below: Literal["all", "values"] = "all"
    inherits: bool = True
    shows: Literal["person", "thing", ""] = ""
    holds: Literal["person", "thing", ""] = ""


NO_KEY = Key("", None, "", plain=True)


class Said(msgspec.Struct, frozen=True, gc=False):
    """What the words of a key say; the fields are those of :class:`Key`."""

    rule: str | None = None
    certain: bool = True
    part: str = ""
    below: Literal["all", "values"] = "all"
    inherits: bool = True
    shows: Literal["person", "thing", ""] = ""
    holds: Literal["person", "thing", ""] = ""


NOTHING_SAID = Said()


class KeyBook:
    """Answers what a policy and the words say of a key, and remembers the answer."""

    def __init__(self, rules: KeyRules) -> None:
        self._exact: dict[str, str] = {}
        self._personal: list[tuple[re.Pattern[str], str]] = []
        self._harmless: list[tuple[re.Pattern[str], str]] = []
        for harmless in rules.harmless:
            self._add(harmless, HARMLESS, self._harmless)
        for key, kind in rules.personal.items():
            self._add(key, kind, self._personal)
        self._words = words() if rules.words else None
        self.known: dict[str, Key] = {}

    def rule(self, key: str) -> str | None:
        """Return the type of all that stands under ``key``, ``HARMLESS``, or None."""
        return self.key(key).rule

    def key(self, raw: str) -> Key:
        """Return what is known of a key, given as it stands between its quotation marks."""
        known = self.known.get(raw)
        if known is None:
            name = raw if "\\" not in raw else str(json.loads(f'"{raw}"', strict=False))
            known = self.named(name)
            if len(self.known) < _MAX_KEYS:
                self.known[raw] = known
        return known

    def named(self, name: str) -> Key:
        """Return what is known of a key, given as it reads.

        A rule of the policy without a star is the first to decide, then a personal one with a star,
        then the words where they name a personal datum, then a harmless rule with a star.
        """
        said = NOTHING_SAID if self._words is None else said_by(name, self._words)
        spelt = _spelt(name)
        rule = self._exact.get(spelt, self._exact.get(spelt.replace("_", "")))
        if rule is None:
            rule = _first(self._personal, spelt)
        if rule is None and not said.rule:
            rule = _first(self._harmless, spelt)
        if rule is not None:
            part = said.part if rule == said.rule else ""
            said = Said(
                rule,
                part=part,
                inherits=rule != HARMLESS,
                shows=said.shows,
                holds=said.holds,
            )
        return Key(
            name,
            said.rule,
            _LABEL.sub(" ", name) + ": ",
            _PLAIN_KEY.match(name) is not None,
            said.certain,
            said.part,
            said.below,
            said.inherits,
            said.shows,
            said.holds,
        )

    def _add(self, key: str, rule: str, patterns: list[tuple[re.Pattern[str], str]]) -> None:
        name = _spelt(key)
        if "*" in name:
            patterns.append((re.compile(translate(name)), rule))
        else:
            self._exact[name] = rule
            self._exact[name.replace("_", "")] = rule


def _spelt(key: str) -> str:
    return _SEPARATORS.sub("_", _CAMEL.sub("_", key)).lower()


def _first(patterns: Sequence[tuple[re.Pattern[str], str]], name: str) -> str | None:
    return next((rule for pattern, rule in patterns if pattern.match(name)), None)


def shown_by(keys: Iterable[Key]) -> Literal["person", "thing", ""]:
    """Return what the keys of one object, row or group say that it describes.

    One that names a datum of a person outweighs those of things.
    """
    shows = {key.shows for key in keys}
    if "person" in shows:
        return "person"
    return "thing" if "thing" in shows else ""


# Splitting -----------------------------------------------------------------------------------

_BOUNDARY = re.compile(
    r"[\W_]+|(?<=[^\W\d_])(?=[0-9])|(?<=[0-9])(?=[^\W\d_])"
    r"|(?<=[a-zà-öø-ÿа-яё])(?=[A-ZÀ-ÖØ-ÞА-ЯЁ])|(?<=[A-Z])(?=[A-Z][a-z])"
)
_FOREIGN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_LINKS = ("", "s", "n", "en", "es", "e")
"""Letters between the parts of a compound."""


def split(name: str, lists: Words) -> list[str]:
    """Return the words of a key in small letters without accents, compounds taken apart."""
    found: list[str] = []
    tokens = [token for token in _BOUNDARY.split(name[-_MAX_LENGTH:]) if token]
    tokens = [folded(token) for token in tokens]
    for token in tokens:
        if token in lists.atoms or token.isdigit():
            found.append(token)
        elif not token.isascii() and _FOREIGN.search(token):
            found += _foreign(token, lists)
        else:
            found += _compound(token, lists)
    return without_particles(found)


def _compound(token: str, lists: Words) -> list[str]:
    """Take a word apart that is made of known ones, or that ends in one: `kundenname`."""
    if len(token) > _LONGEST_COMPOUND:
        return [token]
    if token[-1] == "s" and (token[:-1],) in lists.by_words:
        return [token[:-1]]
    if token.endswith("es") and (token[:-2],) in lists.by_words:
        return [token[:-2]]
    if len(token) >= _SHORTEST_COMPOUND:
        whole = _pieces(token, lists.pieces, _MOST_PIECES)
        if whole:
            return whole
        for at in range(2, len(token) - 3):
            if token[at:] in lists.tails:
                return [token[:at], token[at:]]
    return [token]


_LONGEST_COMPOUND = 40
_SHORTEST_COMPOUND = 6
_SHORTEST_FIRST = 4
_MOST_PIECES = 4
_SHORT_PIECES = frozenset({"ssn", "tel", "dob", "fax", "zip", "iban", "vin", "mrn", "plz"})
_SHORT_LAST = frozenset({"id", "nr", "no", "ip"})


def _pieces(token: str, pieces: frozenset[str], most: int) -> list[str]:
    """Return known words, longest first, of which a token is made; none if it is not."""
    if token in pieces:
        return [token]
    if token in _SHORT_LAST and most < _MOST_PIECES:
        return [token]
    if most == 1:
        return []
    for end in range(len(token) - 2, 2, -1):
        piece = token[:end]
        if piece not in pieces or (end < _SHORTEST_FIRST and piece not in _SHORT_PIECES):
            continue
        for link in _LINKS:
            if token.startswith(link, end):
                rest = _pieces(token[end + len(link) :], pieces, most - 1)
                if rest and (len(rest[-1]) > _SHORT or rest[-1] in _SHORT_LAST | _SHORT_PIECES):
                    return [piece, *rest]
    return []


_SHORT = 3


def _foreign(token: str, lists: Words) -> list[str]:
    """Take a word of a script without spaces apart, the longest known word first."""
    found: list[str] = []
    at, unknown = 0, 0
    while at < len(token):
        for size in range(min(_LONGEST_FOREIGN, len(token) - at), 0, -1):
            known = lists.foreign.get(token[at : at + size])
            if known is not None:
                if unknown < at:
                    found.append(token[unknown:at])
                found += known
                at += size
                unknown = at
                break
        else:
            at += 1
    return [*found, token[unknown:]] if unknown < len(token) else found


_LONGEST_FOREIGN = 12


# Reading -------------------------------------------------------------------------------------

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
    tokens = split(name, lists)
    if not tokens:
        return NOTHING_SAID
    units = _units(tokens, lists)
    shows: Literal["person", "thing", ""] = ""
    if tuple(tokens) in lists.beside:
        shows = "thing"
    said = _decided(units)
    if said.rule and said.certain and said.rule in _OF_PERSONS:
        shows = "person"
    if len(units) == 1 and units[0][1].cat & Cat.SCHEMA and not said.rule:
        said = msgspec.structs.replace(said, inherits=False)
    return msgspec.structs.replace(said, shows=shows) if shows else said


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
    if word.type == "PERSON" and not word.part and _is_of_a_thing(before):
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
    holds: Literal["thing", ""] = "thing" if last.cat & Cat.THING else ""
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
