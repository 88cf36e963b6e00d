"""Extracts the identities that a record states: names, birth dates, accounts, addresses.

The identities of a record are searched for in that record only, never in those of others.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from mypy_extensions import mypyc_attr

from redact.identities.identity import NO_IDENTITIES, IdentityValue
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
"""The minimum score of a name announced by the words around it."""


_NAMES_WITH_SIGNS = frozenset({"USER_ID", "HOST"})
"""Types whose values are searched for without a digit too, if they are no plain word."""


@mypyc_attr(acyclic=True)
class KeyedValue:
    """A value that its key makes personal.

    ``part`` is the part of a name (`given`, `family`), ``owner`` is the number of the object that
    contains it.
    """

    __slots__ = ("owner", "part", "type", "value")

    def __init__(
        self,
        type: str,  # noqa: A002  # as in Presidio
        value: str,
        part: str,
        owner: int,
    ) -> None:
        self.type: Final = type
        self.value: Final = value
        self.part: Final = part
        self.owner: Final = owner


def extract_identities(values: Iterable[KeyedValue]) -> frozenset[IdentityValue]:
    """Collect the identities under the personal keys of one text.

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
        elif each.type == "PERSON" or _is_searchable(each.type, each.value):
            learnt.add(IdentityValue(each.type, each.value))
    for owner in firsts.keys() | lasts.keys():
        full = f"{firsts.get(owner, '')} {lasts.get(owner, '')}".strip()
        learnt.add(IdentityValue("PERSON", full))
    return frozenset(
        identity for identity in learnt if identity.type != "PERSON" or _is_name(identity.value)
    )


def merge_identities(parts: Sequence[frozenset[IdentityValue]]) -> frozenset[IdentityValue]:
    """Return the identities of all parts of one record."""
    saying = [part for part in parts if part]
    if not saying:
        return NO_IDENTITIES
    return saying[0] if len(saying) == 1 else saying[0].union(*saying[1:])


@lru_cache(maxsize=1_024)
def identities_from_user_id(user_id: str) -> frozenset[IdentityValue]:
    """Return the identities of a user id: itself, and a name it may contain (``mia_li_3668``)."""
    learnt = {IdentityValue("USER_ID", user_id)} if len(user_id) >= _SHORTEST else set()
    match = _NAMED_ID.fullmatch(user_id.partition("@")[0])
    if match is not None:
        name = " ".join(part.capitalize() for part in _LETTERS.findall(match[1]))
        if _is_name(name):
            learnt.add(IdentityValue("PERSON", name))
    return frozenset(learnt)


@lru_cache(maxsize=1_024)
def identities_from_user(user_id: str) -> frozenset[IdentityValue]:
    """Return the identities of the user that a span names: as above, and also of a short id.

    A short id (``42``) is searched for as the whole value of a JSON string only.
    """
    return identities_from_user_id(user_id) | {IdentityValue("USER_ID", user_id)}


def is_short_id(identity: IdentityValue) -> bool:
    """Return whether an identity is a user id that is too short to be searched for as a word."""
    return identity.type == "USER_ID" and len(identity.value) < _SHORTEST


def identities_from_prose(text: str, findings: Iterable[PiiFinding]) -> frozenset[IdentityValue]:
    """Return the identities in prose: names and accounts, which are searched for elsewhere."""
    learnt: set[IdentityValue] = set()
    for finding in findings:
        if finding.type == "USER_ID":
            user_id = finding.value or text[finding.start : finding.end]
            if not user_id.isalpha():  # the name of a home folder may also be an everyday word
                learnt |= identities_from_user_id(user_id)
        elif finding.type == "PERSON":
            value = (finding.value or text[finding.start : finding.end]).strip()
            if (
                _WRITTEN_NAME.fullmatch(value)
                and _is_name(value)
                and _is_searchable_name(finding, value)
            ):
                learnt.add(IdentityValue("PERSON", value))
    return frozenset(learnt) if learnt else NO_IDENTITIES


def _is_searchable_name(finding: PiiFinding, name: str) -> bool:
    """Return whether to search for a name elsewhere.

    A single word that only the model takes for a name must also look like a name: searched for in
    the whole record, a wrong word would be replaced in every sentence that contains it.
    """
    has_no_case = name.lower() == name.upper()
    return finding.score >= _ANNOUNCED or not name.isalpha() or name.istitle() or has_no_case


def join_persons(learnt: frozenset[IdentityValue]) -> frozenset[IdentityValue]:
    """Return the identities with each person once, under their longest name.

    A name whose words all belong to exactly one other name is that person's.
    """
    persons = [person for person in learnt if person.type == "PERSON"]
    if len(persons) < 2:
        return learnt
    words = {person: frozenset(_folded_words(person.value)) for person in persons}
    dropped = {person for person in persons if _is_part_of_one(person, words)}
    return learnt - dropped


def _is_part_of_one(person: IdentityValue, words: Mapping[IdentityValue, frozenset[str]]) -> bool:
    """Return whether a name's words are a subset of one other name, or the same in another form."""
    own = words[person]
    longer = {theirs for theirs in words.values() if own < theirs}
    if longer:
        return sum(not any(other > theirs for other in longer) for theirs in longer) == 1
    same = [other.value for other, theirs in words.items() if theirs == own]
    return person.value != min(same)


def _folded_words(name: str) -> list[str]:
    return [strip_diacritics(word).casefold() for word in _LETTERS.findall(name)]


def _is_searchable(kind: str, value: str) -> bool:
    """Return whether to search for a value elsewhere: not for `unknown` or `string`."""
    if len(value) < _SHORTEST:
        return False
    if kind == "EMAIL_ADDRESS":
        return "@" in value
    return any(c.isdigit() for c in value) or (kind in _NAMES_WITH_SIGNS and not value.isalpha())


def _is_name(value: str) -> bool:
    """Return whether a value can be a name at all, not a dummy for one."""
    return not any(word.lower() in _NO_NAMES for word in _LETTERS.findall(value))
