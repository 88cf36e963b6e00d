"""Finds personal data by the keys in a text that is not a single JSON document.

Each value under a personal key is a certain finding if it can be what the key names; bare numbers
under a harmless key are not findings. Rules and checks are those for leaves of a JSON document.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from mypy_extensions import mypyc_attr

from redact.field_keys.code_values import repeats_key
from redact.field_keys.dummy_values import is_ordinary_word
from redact.field_keys.field_key import FieldKey
from redact.field_keys.key_book import KeyBook, classify_owner
from redact.field_keys.key_meaning import HARMLESS
from redact.field_keys.value_types import type_of_value
from redact.identities.extraction import KeyedValue
from redact.lexical.findings import PiiFinding
from redact.lexical.normalisation import normalise
from redact.pairs import KeyValuePair, read_pairs

SURE_SCORE: Final = 1.0
"""The score of a value that its key makes personal."""

_LONGEST_NUMBER: Final = 24
_MOST_WORDS: Final = 4
_VERSION: Final = re.compile(
    r"version|release\b|build\b|firmware|revision|\u7248\u672c", re.IGNORECASE
)


@mypyc_attr(acyclic=True)
class HarmlessSpan:
    """The span of a value that belongs to a thing by its key: a number, a version, or a date."""

    __slots__ = ("end", "is_date", "is_version", "start")

    def __init__(self, start: int, end: int, *, is_version: bool, is_date: bool = False) -> None:
        self.start: Final = start
        self.end: Final = end
        self.is_version: Final = is_version
        self.is_date: Final = is_date


@mypyc_attr(acyclic=True)
class KeyedFinding:
    """A value that its key makes personal; ``quote`` must enclose a string in its place."""

    __slots__ = ("finding", "quote", "value")

    def __init__(self, finding: PiiFinding, value: KeyedValue, quote: str) -> None:
        self.finding: Final = finding
        self.value: Final = value
        self.quote: Final = quote


_DISGUISED: Final = re.compile(
    r"\\[ux][0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|&(?:amp;)*(?:#|[A-Za-z]{2,8};)"
    r"|[\u00ad\u200b-\u200f\u2060-\u2064\ufeff\uff01-\uff5e]"
)
"""Disguises of a key, its sign or its value: escapes, entities, invisible characters."""


KeyedFindings = tuple[Sequence[KeyedFinding], Sequence[HarmlessSpan]]


def find_keyed_values(text: str, book: KeyBook) -> KeyedFindings:
    """Return the personal values in a text, and the spans of the values of harmless keys.

    A text with disguises is read both raw and normalised: each may find more.
    """
    return _find_in_short(text, book) if len(text) <= _LONGEST_KNOWN else _find(text, book)


def _find(text: str, book: KeyBook) -> KeyedFindings:
    keyed, harmless = _read_raw(text, book)
    normal = normalise(text) if _may_be_disguised(text) else None
    if normal is not None:
        spans = {(each.finding.start, each.finding.end) for each in keyed}
        for each in _read_raw(normal.text, book)[0]:
            span = normal.original(each.finding.start, each.finding.end)
            if span not in spans:
                keyed.append(KeyedFinding(each.finding.at(*span), each.value, each.quote))
    return keyed, harmless


_LONGEST_KNOWN: Final = 60
_find_in_short = lru_cache(maxsize=4_096)(_find)
"""Short strings of JSON come again in other documents: states, codes, towns."""


def _may_be_disguised(text: str) -> bool:
    if text.isascii() and "%" not in text and "&" not in text and "\\" not in text:
        return False
    return _DISGUISED.search(text) is not None


def _read_raw(text: str, book: KeyBook) -> tuple[list[KeyedFinding], list[HarmlessSpan]]:
    keyed_pairs = [(pair, book.read(pair.key)) for pair in read_pairs(text)]
    if not keyed_pairs:
        return [], []
    shown = _owner_classes(keyed_pairs)
    keyed: list[KeyedFinding] = []
    harmless: list[HarmlessSpan] = []
    for pair, key in keyed_pairs:
        if names_date(pair.key):
            harmless.append(HarmlessSpan(pair.start, pair.end, is_version=False, is_date=True))
        if key.rule == HARMLESS:
            if is_short_value(pair.value) and not _ends_a_name(text, pair):
                harmless.append(
                    HarmlessSpan(pair.start, pair.end, is_version=names_version(pair.key))
                )
        elif key.rule is not None and not (key.rule == "SECRET" and _is_remark(text, pair)):
            value = _typed_value(pair, key, shown.get(pair.owner, ""))
            if value is not None:
                finding = PiiFinding(value.type, pair.start, pair.end, SURE_SCORE, value.value)
                keyed.append(KeyedFinding(finding, value, pair.quote))
    return keyed, harmless


def _is_remark(text: str, pair: KeyValuePair) -> bool:
    """Return whether a word in round brackets is said in place of a value: `(hidden)`."""
    return (
        pair.value.lower() in _REMARKS
        and text[pair.start - 1 : pair.start] == "("
        and text[pair.end : pair.end + 1] == ")"
    )


_REMARKS: Final = frozenset(
    [
        *("hidden", "masked", "redacted", "removed", "omitted", "withheld", "suppressed", "unset"),
        *("encrypted", "unchanged", "concealed", "protected", "verborgen", "oculto", "nascosto"),
    ]
)


def names_version(key: str) -> bool:
    """Return whether a key names a version, which may have four numbers like an address."""
    return _VERSION.search(key) is not None


@lru_cache(maxsize=4_096)
def names_date(key: str) -> bool:
    """Return whether a key names a date other than a birth date: `updated`, `due_date`."""
    return len(key) <= _LONGEST_KEY and _DATE.search(key) is not None


_LONGEST_KEY: Final = 60
_DATE: Final = re.compile(
    r"(?<![a-z])(?:updat|creat|modif|chang|expir|issu|due|ship|deliver|order|depart|arriv|sent|"
    r"receiv|paid|pay(?:ment)?|start|end|valid|since|until|check[ _-]?(?:in|out)|timestamp|"
    r"last|login|seen|join|regist|sign|invoic|book|travel|flight|appoint|publish|releas|erstellt|geändert|"
    r"gültig|aktualisiert|créé|modifi|expir|actualiz|cread|caduc|aggiorn|creat|scad|bijgewerkt|"
    r"aangemaakt|utworz|zmien)(?!.*(?:birth|born|dob))",
    re.IGNORECASE,
)


_SUFFIX: Final = re.compile(r"\A([0-9]{5,20})(?:[uU]?[lL]{1,2}|[uUn])\Z")
"""Suffixes of integer literals in source code: `521438871UL`, `521438871n`."""
_NUMBER: Final = frozenset({"number", "no", "nr", "num", "id", "nummer", "numero"})
_NAMED: Final = re.compile(r"[^\W\d_]{2,}[ ][A-Za-z]{2,6}[\s:=\"'*_`]{1,8}\Z")


def _ends_a_name(text: str, pair: KeyValuePair) -> bool:
    """Return whether a key is the end of the name of a number: `number` of `NI number`."""
    return (
        pair.key.lower() in _NUMBER
        and _NAMED.search(text, max(pair.start - _LONGEST_NUMBER, 0), pair.start) is not None
    )


def read_undisguised(value: str) -> str:
    """Return a value without its disguises."""
    normal = normalise(value)
    return value if normal is None else normal.text


def is_short_value(text: str) -> bool:
    """Return whether a value is a number or a code, not a text that may contain other values."""
    return len(text) <= _LONGEST_NUMBER or text.count(" ") < _MOST_WORDS


def _typed_value(pair: KeyValuePair, key: FieldKey, shown: str) -> KeyedValue | None:
    """Return the value of a pair with the type that its key names, None if it does not fit."""
    certain = key.certain
    value = read_undisguised(pair.value)
    if pair.form == "bare":
        value = _SUFFIX.sub(r"\1", value)
    if (key.part == "name" and shown == "thing") or repeats_key(pair.key, value):
        return None
    if key.part == "name" and shown == "person" and not is_ordinary_word(value):
        certain = True
    is_number = pair.quote != "" and not (pair.form == "python_call" and "-" in value)
    kind = type_of_value(key.rule or "", value, certain=certain, is_number=is_number)
    return None if kind is None else KeyedValue(kind, value, key.part, pair.owner)


def _owner_classes(keyed_pairs: Sequence[tuple[KeyValuePair, FieldKey]]) -> dict[int, str]:
    """Return, by owner, whether an object describes a person or a thing, if its keys say so."""
    objects: dict[int, list[FieldKey]] = {}
    for pair, key in keyed_pairs:
        if key.shows:
            objects.setdefault(pair.owner, []).append(key)
    return {owner: classify_owner(keys) for owner, keys in objects.items()}
