"""Names and identifiers that a record's structured fields give away, found again in its text.

What was learnt from a record is looked for in that record only: never across subjects.
"""

import calendar
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from itertools import count

import msgspec

from redact.findings import Finding
from redact.normalise import mapped, normalise
from redact.structure import Leaf

_FIRST = frozenset({"first_name", "firstname", "given_name", "givenname", "forename"})
_LAST = frozenset({"last_name", "lastname", "family_name", "familyname", "surname"})
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_][^\W\d_'\u2019.-]*(?:['\u2019-][^\W\d_]+)*\.?")
_FULL_NAME = re.compile(r"[^\W\d_]{2,}\.?(?:[ ][^\W\d_]+\.?){1,3}")
_NAMED_ID = re.compile(r"([^\W\d_]{2,}(?:[._-][^\W\d_]{2,}){1,2})(?:[._-]?[0-9]{1,8})?")
_NO_NAMES = frozenset(
    [
        "user",
        "usr",
        "uid",
        "guest",
        "test",
        "demo",
        "admin",
        "root",
        "system",
        "support",
        "service",
        "team",
        "staff",
        "agent",
        "bot",
        "customer",
        "cust",
        "client",
        "member",
        "account",
        "acct",
        "passenger",
        "person",
        "anonymous",
        "anon",
        "unknown",
        "none",
        "null",
        "undefined",
        "string",
        "example",
        "sample",
        "name",
        "first",
        "last",
        "full",
        "app",
        "api",
        "web",
        "live",
        "prod",
        "dev",
        "id",
    ]
)
_MIN_VALUE = 5
_SCORE = 0.95

_ORDINARY = frozenset(
    json.loads((resources.files("redact") / "ordinary_words.json").read_text(encoding="utf-8"))
)
"""Names that are also words: they count as names only where they begin with a capital."""


class Learnt(msgspec.Struct, frozen=True, gc=False):
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
        elif leaf.rule == "PERSON" or _tells(leaf.rule, leaf.text):
            learnt.add(Learnt(leaf.rule, leaf.text))
    for owner in firsts.keys() | lasts.keys():
        full = f"{firsts.get(owner, '')} {lasts.get(owner, '')}".strip()
        learnt.add(Learnt("PERSON", full))
    return frozenset(one for one in learnt if one.type != "PERSON" or _is_name(one.value))


def _tells(kind: str, value: str) -> bool:
    """Tell whether a value is worth looking for elsewhere: `unknown` and `string` are none."""
    if len(value) < _MIN_VALUE:
        return False
    if kind == "EMAIL_ADDRESS":
        return "@" in value
    return any(c.isdigit() for c in value) or (kind == "USER_ID" and not value.isalpha())


def _is_name(value: str) -> bool:
    """Tell whether a value can be a name at all, not a word that stands in for one."""
    return not any(word.lower() in _NO_NAMES for word in _LETTERS.findall(value))


def learnt_from_user(user_id: str) -> frozenset[Learnt]:
    """Return what a user id says: itself, and the name it may be made of (``mia_li_3668``)."""
    learnt = {Learnt("USER_ID", user_id)} if len(user_id) >= _MIN_VALUE else set()
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
    return frozenset(learnt)


_SERIALS = count(1)
_BETWEEN = frozenset(" \t\n\r\u00a0,_.+-")
_MOST_BETWEEN = 3


class _Spelling(msgspec.Struct, frozen=True, gc=False):
    """One way in which a value is written: its words in lower case, and if case matters as is."""

    words: tuple[str, ...]
    type: str
    exact: tuple[str, ...] | None


class NameFinder:
    """Looks for one set of learnt values in texts.

    Nothing is compiled, as each record may bring a set of its own: a spelling is looked for by its
    first word, and compared further only where that stands. ``serial`` tells finders apart.
    """

    def __init__(self, learnt: frozenset[Learnt]) -> None:
        self.serial = next(_SERIALS)
        self._by_word: dict[str, list[_Spelling]] = {}
        exact, loose = _alternatives(learnt)
        for spelling, kind in loose.items():
            self._add(spelling.lower(), kind, None)
        for spelling, kind in exact.items():
            self._add(spelling.lower(), kind, spelling)
        self._dates = [one for one in learnt if one.type == "DATE_OF_BIRTH"]
        self._sort()

    def find(self, text: str) -> list[Finding]:
        """Return where the learnt values stand in ``text``, also in disguise."""
        findings = self._plain(text)
        normal = normalise(text)
        if normal is not None:
            findings += mapped(normal, self._plain(normal.text))
        return findings

    def _sort(self) -> None:
        for spellings in self._by_word.values():
            if len(spellings) > 1:
                spellings.sort(key=lambda one: -sum(map(len, one.words)))

    def _add_dates(self, text: str) -> None:
        """Add the other spellings of dates whose year stands in the text other than in 1990-..."""
        due = [one for one in self._dates if _year_ends(text, one.value[:4])]
        for one in due:
            self._dates.remove(one)
            for spelling in _dates(one.value):
                self._add(spelling.lower(), one.type, None)
        if due:
            self._sort()

    def _add(self, lowered: str, kind: str, exact: str | None) -> None:
        words = tuple(lowered.split())
        if words:
            spelling = _Spelling(words, kind, tuple(exact.split()) if exact else None)
            self._by_word.setdefault(words[0], []).append(spelling)

    def _plain(self, text: str) -> list[Finding]:
        findings: list[Finding] = []
        if self._dates:
            self._add_dates(text)
        lowered = text.lower()
        if len(lowered) != len(text):
            lowered = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
        for word, spellings in self._by_word.items():
            at = lowered.find(word)
            while at != -1:
                if at == 0 or not text[at - 1].isalnum():
                    finding = _first_match(text, lowered, at, spellings)
                    if finding is not None:
                        findings.append(finding)
                at = lowered.find(word, at + 1)
        return findings


def _year_ends(text: str, year: str) -> bool:
    """Tell whether a year stands in a text with something else than a dash behind it."""
    at = text.find(year)
    while at != -1:
        if text[at + 4 : at + 5] != "-":
            return True
        at = text.find(year, at + 1)
    return False


def _first_match(
    text: str, lowered: str, at: int, spellings: Sequence[_Spelling]
) -> Finding | None:
    """Return the longest of the spellings that stands at a place."""
    behind = at + len(spellings[0].words[0])
    further = text[behind : behind + 1] in _BETWEEN
    for spelling in spellings:
        if len(spelling.words) > 1 and not further:
            continue
        end = _match(text, lowered, at, spelling)
        if end:
            return Finding(spelling.type, at, end, _SCORE)
    return None


def _match(text: str, lowered: str, at: int, spelling: _Spelling) -> int:
    """Return where a spelling that begins at ``at`` ends, 0 if it does not stand there."""
    place = at
    for number, word in enumerate(spelling.words):
        if number:
            gap = place
            while place < len(text) and text[place] in _BETWEEN and place - gap < _MOST_BETWEEN:
                place += 1
            if place == gap:
                return 0
        if not lowered.startswith(word, place):
            return 0
        if spelling.exact and text[place : place + len(word)] != spelling.exact[number]:
            return 0
        place += len(word)
    return _end(text, place)


def _end(text: str, place: int) -> int:
    """Return where a word ends, with an `s` or `'s` behind it; 0 if it goes on."""
    tail = text[place : place + 3]
    for suffix in ("'s", "\u2019s", "s", ""):
        if tail.startswith(suffix) and not tail[len(suffix) : len(suffix) + 1].isalnum():
            return place + len(suffix)
    return 0


@lru_cache(maxsize=4096)
def finder(learnt: frozenset[Learnt]) -> NameFinder | None:
    """Return the finder of a set of learnt values, None for none."""
    return NameFinder(learnt) if learnt else None


def _alternatives(learnt: frozenset[Learnt]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the spellings that count exactly, and those that count in any case, with types."""
    exact: dict[str, str] = {}
    loose: dict[str, str] = {}
    for one in learnt:
        kind, value = one.type, one.value
        if kind != "PERSON":
            loose[value.lower()] = kind
            continue
        for spelling in {value, _plain(value)}:
            _add_person(spelling, exact, loose)
    return exact, loose


_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MONTHS = tuple(calendar.month_name)


def _dates(value: str) -> list[str]:
    """Return the other usual spellings of a date of the form 1990-04-05."""
    match = _ISO.fullmatch(value)
    if match is None or not 1 <= int(match[2]) <= 12:
        return []
    year, month, day = match[1], int(match[2]), int(match[3])
    name = _MONTHS[month]
    spellings = [f"{day:02}.{month:02}.{year}", f"{year}/{month:02}/{day:02}"]
    for spelt in (str(day), f"{day:02}", f"{day}{_ordinal(day)}"):
        for written in (name, name[:3]):
            spellings += (f"{written} {spelt} {year}", f"{spelt} {written} {year}")
            spellings.append(f"{spelt} of {written} {year}")
    for one, two in ((month, day), (day, month)):
        spellings += (f"{one:02}/{two:02}/{year}", f"{one}/{two}/{year}")
        spellings += (f"{one:02}-{two:02}-{year}", f"{one}-{two}-{year}")
    return spellings


def _ordinal(day: int) -> str:
    return "th" if 4 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _add_person(full: str, exact: dict[str, str], loose: dict[str, str]) -> None:
    words = [word for word in _WORD.findall(full) if len(word.rstrip(".")) > 1]
    if not words:
        return
    if len(words) > 1:
        first, last = words[0], words[-1]
        for spelling in (" ".join(words), f"{first} {last}", f"{last} {first}"):
            loose[spelling.lower()] = "PERSON"
        for initial in (f"{first[0]}. {last}", f"{first[0]} {last}", f"{first} {last[0]}."):
            exact[initial] = "PERSON"
    for word in words:
        folded = word.lower()
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
