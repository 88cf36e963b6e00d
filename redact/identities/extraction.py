"""What a record's structured fields say about persons: names, birth dates, accounts, addresses.

What was learnt from a record is looked for in that record only: never across subjects.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from redact.lexical.findings import PiiFinding
from redact.lexical.scripts import strip_diacritics

_LETTERS = re.compile(r"[^\W\d_]+")
_WRITTEN_NAME = re.compile(r"[^\W\d_]{2,}(?:['\u2019.-]{0,2}[ ]?[^\W\d_]+){0,6}\.?")
_NAMED_ID = re.compile(r"([^\W\d_]{2,}(?:[._-][^\W\d_]{2,}){1,2})(?:[._-]?[0-9]{1,8})?")
_STAND_INS = """
    user usr uid guest test demo admin root system support service team staff agent bot customer
    cust client member account acct passenger person anonymous anon unknown none null undefined
    string example sample name first last full app api web live prod dev id
"""
_NO_NAMES = frozenset(_STAND_INS.split())
_SHORTEST = 5
_ANNOUNCED = 0.9
"""The least score of a name that the words around it give away."""


class KeyedValue(NamedTuple):
    """A value that its key makes personal.

    ``part`` says which part of a name it is (`given`, `family`), ``owner`` numbers the object that
    it stands in.
    """

    type: str
    value: str
    part: str
    owner: int


class IdentityValue(msgspec.Struct, frozen=True, gc=False):
    """Something personal that a structured field said. For a PERSON ``value`` is the full name."""

    type: str
    value: str


NO_IDENTITIES: frozenset[IdentityValue] = frozenset()


def extract_identities(values: Iterable[KeyedValue]) -> frozenset[IdentityValue]:
    """Collect what the personal keys of one text say about persons.

    A first and a last name in the same object are one person.
    """
    learnt: set[IdentityValue] = set()
    firsts: dict[int, str] = {}
    lasts: dict[int, str] = {}
    for each in values:
        if each.type == "PERSON" and each.part == "given":
            firsts.setdefault(each.owner, each.value)
        elif each.type == "PERSON" and each.part == "family":
            lasts.setdefault(each.owner, each.value)
        elif each.type == "PERSON" or _tells(each.type, each.value):
            learnt.add(IdentityValue(each.type, each.value))
    for owner in firsts.keys() | lasts.keys():
        full = f"{firsts.get(owner, '')} {lasts.get(owner, '')}".strip()
        learnt.add(IdentityValue("PERSON", full))
    return frozenset(
        identity for identity in learnt if identity.type != "PERSON" or _is_name(identity.value)
    )


def merge_identities(parts: Sequence[frozenset[IdentityValue]]) -> frozenset[IdentityValue]:
    """Return what the parts of one record say, taken together."""
    saying = [part for part in parts if part]
    if not saying:
        return NO_IDENTITIES
    return saying[0] if len(saying) == 1 else saying[0].union(*saying[1:])


@lru_cache(maxsize=4096)
def identities_from_user_id(user_id: str) -> frozenset[IdentityValue]:
    """Return what a user id says: itself, and the name it may be made of (``mia_li_3668``)."""
    learnt = {IdentityValue("USER_ID", user_id)} if len(user_id) >= _SHORTEST else set()
    match = _NAMED_ID.fullmatch(user_id.partition("@")[0])
    if match is not None:
        name = " ".join(part.capitalize() for part in _LETTERS.findall(match[1]))
        if _is_name(name):
            learnt.add(IdentityValue("PERSON", name))
    return frozenset(learnt)


def identities_from_prose(text: str, findings: Iterable[PiiFinding]) -> frozenset[IdentityValue]:
    """Return what findings in prose say: names and accounts are looked for elsewhere too."""
    learnt: set[IdentityValue] = set()
    for finding in findings:
        if finding.type == "USER_ID":
            learnt |= identities_from_user_id(finding.value or text[finding.start : finding.end])
        elif finding.type == "PERSON":
            value = (finding.value or text[finding.start : finding.end]).strip()
            if _WRITTEN_NAME.fullmatch(value) and _is_name(value) and _is_worth(finding, value):
                learnt.add(IdentityValue("PERSON", value))
    return frozenset(learnt) if learnt else NO_IDENTITIES


def _is_worth(finding: PiiFinding, name: str) -> bool:
    """Return whether a name is worth looking for elsewhere.

    A single word that only a model takes for a name is one if it looks like one: looked for in all
    of a record, a mistake about a word would take every sentence that has it.
    """
    has_no_case = name.lower() == name.upper()
    return finding.score >= _ANNOUNCED or not name.isalpha() or name.istitle() or has_no_case


def join_persons(learnt: frozenset[IdentityValue]) -> frozenset[IdentityValue]:
    """Return what was learnt with each person there once, under the longest name that is known.

    A name all of whose words belong to one other name, and to one only, is that person's.
    """
    persons = [person for person in learnt if person.type == "PERSON"]
    if len(persons) < 2:
        return learnt
    words = {person: frozenset(_folded_words(person.value)) for person in persons}
    dropped = {person for person in persons if _is_part_of_one(person, words)}
    return learnt - dropped


def _is_part_of_one(person: IdentityValue, words: Mapping[IdentityValue, frozenset[str]]) -> bool:
    """Return whether the words of a name are some of one other name's, or its in another form."""
    own = words[person]
    longer = {theirs for theirs in words.values() if own < theirs}
    if longer:
        return sum(not any(other > theirs for other in longer) for theirs in longer) == 1
    same = [other.value for other, theirs in words.items() if theirs == own]
    return person.value != min(same)


def _folded_words(name: str) -> list[str]:
    return [strip_diacritics(word).casefold() for word in _LETTERS.findall(name)]


def _tells(kind: str, value: str) -> bool:
    """Tell whether a value is worth looking for elsewhere: `unknown` and `string` are none."""
    if len(value) < _SHORTEST:
        return False
    if kind == "EMAIL_ADDRESS":
        return "@" in value
    return any(c.isdigit() for c in value) or (kind == "USER_ID" and not value.isalpha())


def _is_name(value: str) -> bool:
    """Tell whether a value can be a name at all, not a word that stands in for one."""
    return not any(word.lower() in _NO_NAMES for word in _LETTERS.findall(value))
