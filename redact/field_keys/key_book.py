"""Caches what a policy and a key's words say about the value below that key."""

import json
import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Literal

from redact.field_keys.field_key import FieldKey
from redact.field_keys.key_meaning import HARMLESS, NO_MEANING, KeyMeaning, read_key
from redact.field_keys.key_words import load_key_words
from redact.field_keys.telemetry_keys import TELEMETRY_TYPES
from redact.policies.policy import KeyRules

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s.-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z_$.-]{0,63}(?:[0-9]{1,3})?\Z")
_LABEL = re.compile(r"[\s_.-]+|(?<=[a-z])(?=[A-Z])")
_MAX_KEYS = 20_000
_LONGEST_KEPT = 256


class KeyBook:
    """Returns what a policy and the words say about a key, and caches it."""

    def __init__(self, rules: KeyRules) -> None:
        self._exact: dict[str, str] = {}
        self._personal: list[tuple[re.Pattern[str], str]] = []
        self._harmless: list[tuple[re.Pattern[str], str]] = []
        for harmless in rules.harmless:
            self._add(harmless, HARMLESS, self._harmless)
        for key, kind in rules.personal.items():
            self._add(key, kind, self._personal)
        self._words = load_key_words() if rules.words else None
        self.keys_read: dict[str, FieldKey] = {}

    def rule(self, key: str) -> str | None:
        """Return the type of the values under ``key``, ``HARMLESS``, or None."""
        return self.key(key).rule

    def key(self, raw: str) -> FieldKey:
        """Return the meaning of a key, given as written between quotation marks."""
        field_key = self.keys_read.get(raw)
        if field_key is None:
            name = raw if "\\" not in raw else str(json.loads(f'"{raw}"', strict=False))
            field_key = self.named(name)
            if len(raw) <= _LONGEST_KEPT and len(self.keys_read) < _MAX_KEYS:
                self.keys_read[raw] = field_key
        return field_key

    def read(self, name: str) -> FieldKey:
        """Return the meaning of a key, given unescaped, and cache it."""
        if "\\" not in name:
            return self.keys_read.get(name) or self.key(name)
        return self.named(name)  # `keys_read` holds keys as written

    def named(self, name: str) -> FieldKey:
        """Return the meaning of a key, given unescaped.

        A policy rule without a star decides first, then a personal rule with a star, then the names
        of telemetry, then words that name a personal datum, then a harmless rule with a star.
        """
        meaning = NO_MEANING if self._words is None else read_key(name, self._words)
        spelt = _spelt(name)
        rule = self._exact.get(spelt, self._exact.get(spelt.replace("_", "")))
        if rule is None:
            rule = _first(self._personal, spelt)
        if rule is None and self._words is not None:
            rule = TELEMETRY_TYPES.get(name.lower())
        if rule is None and not meaning.rule:
            rule = _first(self._harmless, spelt)
        if rule is not None:
            part = meaning.part if rule == meaning.rule else ""
            meaning = KeyMeaning(
                rule,
                part=part,
                inherits=rule != HARMLESS,
                shows=meaning.shows,
                holds=meaning.holds,
            )
        return FieldKey(
            name,
            meaning.rule,
            _LABEL.sub(" ", name) + ": ",
            _PLAIN_KEY.match(name) is not None,
            meaning.certain,
            meaning.part,
            meaning.reach,
            meaning.inherits,
            "thing" if _OF_PACKAGE.fullmatch(name) else meaning.shows,
            meaning.holds,
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


def classify_owner(keys: Iterable[FieldKey]) -> Literal["person", "thing", ""]:
    """Return what one object, row or group describes, by its keys.

    A key that names a personal datum outweighs keys of things; but an author's address does not
    turn a package into a person.
    """
    shows = set()
    for key in keys:
        if _OF_PACKAGE.fullmatch(key.name):
            return "thing"
        shows.add(key.shows)
    if "person" in shows:
        return "person"
    return "thing" if "thing" in shows else ""


_OF_PACKAGE = re.compile(
    r"metadata-version|requires-(?:python|dist)|provides-extra|project-urls?|classifiers?"
    r"|license-(?:file|expression)|(?:dev|peer|optional)?dependencies|installed-size|multi-arch"
    r"|entry-?points|crate|rust-version",
    re.IGNORECASE,
)
"""Keys of package descriptions, for Python, Debian, Node and Rust."""
