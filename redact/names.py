"""Names and identifiers that a record's structured fields give away, found again in its text.

What was learnt from a record is looked for in that record only: never across subjects.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from itertools import count
from typing import NamedTuple

from redact.findings import Finding
from redact.normalise import mapped, normalise
from redact.structure import Leaf

_FIRST = frozenset({"first_name", "firstname", "given_name", "givenname", "forename"})
_LAST = frozenset({"last_name", "lastname", "family_name", "familyname", "surname"})
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_][^\W\d_'\u2019.-]*(?:['\u2019-][^\W\d_]+)*\.?")
_FULL_NAME = re.compile(r"[^\W\d_]{2,}\.?(?:[ ][^\W\d_]+\.?){1,3}")
_MIN_VALUE = 5
_SCORE = 0.95

_ORDINARY = frozenset(
    json.loads((resources.files("redact") / "ordinary_words.json").read_text(encoding="utf-8"))
)
"""Names that are also words: they count as names only where they begin with a capital."""


class Learnt(NamedTuple):
    """Something personal that a structured field said. For a PERSON ``value`` is the full name."""

    type: str
    value: str


def learnt_from(leaves: Iterable[Leaf]) -> frozenset[Learnt]:
    """Collect what the leaves of one JSON text say about persons.

    A first and a last name in the same object are one person.
    """
    learnt: set[Learnt] = set()
    firsts: dict[int, str] = {}
    lasts: dict[int, str] = {}
    for leaf in leaves:
        if leaf.is_key or not leaf.rule:
            continue
        key = leaf.key.lower()
        if key in _FIRST:
            firsts[leaf.owner] = leaf.text
        elif key in _LAST:
            lasts[leaf.owner] = leaf.text
        elif leaf.rule == "PERSON" or len(leaf.text) >= _MIN_VALUE:
            learnt.add(Learnt(leaf.rule, leaf.text))
    for owner in firsts.keys() | lasts.keys():
        full = f"{firsts.get(owner, '')} {lasts.get(owner, '')}".strip()
        learnt.add(Learnt("PERSON", full))
    return frozenset(learnt)


def learnt_from_user(user_id: str) -> frozenset[Learnt]:
    """Return what a user id says: itself, and the name it may be made of (``mia_li_3668``)."""
    learnt = {Learnt("USER_ID", user_id)} if len(user_id) >= _MIN_VALUE else set()
    local = user_id.partition("@")[0]
    parts = [part for part in _LETTERS.findall(local) if len(part) > 1]
    if any(mark in local for mark in "_.-") and 2 <= len(parts) <= 3:
        learnt.add(Learnt("PERSON", " ".join(part.capitalize() for part in parts)))
    return frozenset(learnt)


_SERIALS = count(1)


def learnt_from_prose(text: str, findings: Iterable[Finding]) -> frozenset[Learnt]:
    """Return what findings in prose say: a full name or an account is looked for elsewhere too."""
    learnt: set[Learnt] = set()
    for finding in findings:
        value = text[finding.start : finding.end]
        if finding.type == "USER_ID":
            learnt |= learnt_from_user(value)
        elif finding.type == "PERSON" and _FULL_NAME.fullmatch(value):
            learnt.add(Learnt("PERSON", value))
    return frozenset(learnt)


class NameFinder:
    """Looks for one set of learnt values in texts: one pass, whatever their number.

    ``serial`` tells finders apart.
    """

    def __init__(self, learnt: frozenset[Learnt]) -> None:
        exact, loose = _alternatives(learnt)
        self._types = exact | loose
        self._needles = sorted({min(word.split(), key=len).lower() for word in self._types})
        self.serial = next(_SERIALS)
        self._loose = _compiled(loose, re.IGNORECASE)
        self._exact = _compiled(exact, 0)

    def find(self, text: str) -> list[Finding]:
        """Return where the learnt values stand in ``text``, also in disguise."""
        findings = self._plain(text)
        normal = normalise(text)
        if normal is not None:
            findings += mapped(normal, self._plain(normal.text))
        return findings

    def _plain(self, text: str) -> list[Finding]:
        findings: list[Finding] = []
        lowered = text.lower()
        if not any(needle in lowered for needle in self._needles):
            return findings
        for pattern in (self._loose, self._exact):
            if pattern is not None:
                for match in pattern.finditer(text):
                    kind = self._types.get(match[0], self._types.get(match[0].casefold(), "PERSON"))
                    findings.append(Finding(kind, match.start(), match.end(), _SCORE))
        return findings


@lru_cache(maxsize=4096)
def finder(learnt: frozenset[Learnt]) -> NameFinder | None:
    """Return the finder of a set of learnt values, None for none."""
    return NameFinder(learnt) if learnt else None


def _compiled(words: Sequence[str] | dict[str, str], flags: int) -> re.Pattern[str] | None:
    if not words:
        return None
    ordered = sorted(words, key=lambda word: (-len(word), word))
    body = "|".join(re.escape(word).replace(r"\ ", r"[\s,_.+-]{1,3}") for word in ordered)
    return re.compile(rf"(?<![^\W_])(?:{body})(?:['\u2019]?s)?(?![^\W_])", flags)


def _alternatives(learnt: frozenset[Learnt]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the spellings that count exactly, and those that count in any case, with types."""
    exact: dict[str, str] = {}
    loose: dict[str, str] = {}
    for kind, value in learnt:
        if kind != "PERSON":
            loose[value.casefold()] = kind
            continue
        for spelling in {value, _plain(value)}:
            _add_person(spelling, exact, loose)
    return exact, loose


def _add_person(full: str, exact: dict[str, str], loose: dict[str, str]) -> None:
    words = [word for word in _WORD.findall(full) if len(word.rstrip(".")) > 1]
    if not words:
        return
    if len(words) > 1:
        first, last = words[0], words[-1]
        for spelling in (" ".join(words), f"{first} {last}", f"{last} {first}"):
            loose[spelling.casefold()] = "PERSON"
        for initial in (f"{first[0]}. {last}", f"{first[0]} {last}", f"{first} {last[0]}."):
            exact[initial] = "PERSON"
    for word in words:
        folded = word.casefold()
        if len(word) >= 3 and folded not in _ORDINARY:
            loose[folded] = "PERSON"
        else:
            exact[word.capitalize()] = "PERSON"
            if len(word) >= 3:
                exact[word.upper()] = "PERSON"


def _plain(text: str) -> str:
    """Return a text without the marks on its letters (``Müller`` becomes ``Muller``)."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))
