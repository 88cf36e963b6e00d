"""What a record's structured fields say about persons: names, birth dates, accounts, addresses.

What was learnt from a record is looked for in that record only: never across subjects.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from redact.findings import Finding
from redact.structure import Leaf

_LETTERS = re.compile(r"[^\W\d_]+")
_FULL_NAME = re.compile(r"[^\W\d_]{2,}\.?(?:[ ][^\W\d_]+\.?){1,3}")
_NAMED_ID = re.compile(r"([^\W\d_]{2,}(?:[._-][^\W\d_]{2,}){1,2})(?:[._-]?[0-9]{1,8})?")
_STAND_INS = """
    user usr uid guest test demo admin root system support service team staff agent bot customer
    cust client member account acct passenger person anonymous anon unknown none null undefined
    string example sample name first last full app api web live prod dev id
"""
_NO_NAMES = frozenset(_STAND_INS.split())
_SHORTEST = 5


class Learnt(msgspec.Struct, frozen=True, gc=False):
    """Something personal that a structured field said. For a PERSON ``value`` is the full name."""

    type: str
    value: str


NOTHING: frozenset[Learnt] = frozenset()


def learnt_from(leaves: Iterable[Leaf]) -> frozenset[Learnt]:
    """Collect what leaves of one JSON text, each under a personal key, say about persons.

    A first and a last name in the same object are one person.
    """
    learnt: set[Learnt] = set()
    firsts: dict[int, str] = {}
    lasts: dict[int, str] = {}
    for leaf in leaves:
        if not leaf.rule:
            continue
        if leaf.rule == "PERSON" and leaf.part == "given":
            firsts[leaf.owner] = leaf.text
        elif leaf.rule == "PERSON" and leaf.part == "family":
            lasts[leaf.owner] = leaf.text
        elif leaf.rule == "PERSON" or _tells(leaf.rule, leaf.text):
            learnt.add(Learnt(leaf.rule, leaf.text))
    for owner in firsts.keys() | lasts.keys():
        full = f"{firsts.get(owner, '')} {lasts.get(owner, '')}".strip()
        learnt.add(Learnt("PERSON", full))
    return frozenset(one for one in learnt if one.type != "PERSON" or _is_name(one.value))


def together(parts: Sequence[frozenset[Learnt]]) -> frozenset[Learnt]:
    """Return what the parts of one record say, taken together."""
    saying = [part for part in parts if part]
    if not saying:
        return NOTHING
    return saying[0] if len(saying) == 1 else saying[0].union(*saying[1:])


@lru_cache(maxsize=4096)
def learnt_from_user(user_id: str) -> frozenset[Learnt]:
    """Return what a user id says: itself, and the name it may be made of (``mia_li_3668``)."""
    learnt = {Learnt("USER_ID", user_id)} if len(user_id) >= _SHORTEST else set()
    match = _NAMED_ID.fullmatch(user_id.partition("@")[0])
    if match is not None:
        name = " ".join(part.capitalize() for part in _LETTERS.findall(match[1]))
        if _is_name(name):
            learnt.add(Learnt("PERSON", name))
    return frozenset(learnt)


def learnt_from_prose(text: str, findings: Iterable[Finding]) -> frozenset[Learnt]:
    """Return what findings in prose say: a full name or an account is looked for elsewhere too."""
    learnt: set[Learnt] = set()
    for finding in findings:
        value = text[finding.start : finding.end]
        if finding.type == "USER_ID":
            learnt |= learnt_from_user(value)
        elif finding.type == "PERSON" and _FULL_NAME.fullmatch(value):
            learnt.add(Learnt("PERSON", value))
    return frozenset(learnt) if learnt else NOTHING


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
