"""Checks for placeholders instead of data: `n/a`, `string`, `${EMAIL}`, `YYYY-MM-DD`, `***`.

They occur under personal keys in schemas, templates, forms and settings, in any language.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final

from mypy_extensions import mypyc_attr

from redact.field_keys.code_values import is_code
from redact.field_keys.key_words import fold_letters, load_key_words

_BRACKETED = re.compile(
    r"<[^<>@]{0,80}>|\{\{.{0,80}\}\}|\{[\w .:-]{0,60}\}|\[[A-Za-z _:.-]{1,40}\]|__\w{1,60}__"
    r"|%\(\w{1,40}\)[sd]|%[sdr]|%\w{1,40}%|\$\{.{0,120}\}|\$\(.{0,200}\)|\$[A-Za-z_]\w{0,60}",
    re.DOTALL,
)
"""`<email>`, `{{email}}`, `[EMAIL]`, `%s`, `${EMAIL}`, `$(cat token)`, `$TOKEN`."""
_REFERENCE = re.compile(
    r"(?:os\.)?environ\b.{0,80}|os\.getenv.{0,80}|process\.env\b.{0,80}|(?:get)?env\(.{0,80}\)"
    r"|secrets?\.[A-Za-z_]\w{0,80}|(?:valueFrom|secretKeyRef|!Ref|!Sub|!GetAtt)\b.{0,120}"
    r"|(?:file|vault|op|ssm|keychain|keyring)://.{0,200}|/(?:run|var/run|etc|mnt|vault)/.{1,200}"
)
"""The location of a secret, not the secret."""
_INVITATION = re.compile(
    r"(?:your|my|enter|insert|replace|add)[-_ ].{0,60}"
    r"(?:here|key|token|password|secret|e-?mail|phone|name|address|number|id|with\b.{0,40})",
    re.IGNORECASE,
)
"""`YOUR_API_KEY`, `your-token-here`, `enter your phone number`."""
_MASKED = re.compile(
    r"[*\u2022\u25cf\u00b7_.\u2026?#-]{1,40}|(?:[xX*\u2022#]{2,16}[ .()/@-]{0,3}){1,6}[0-9]{0,4}"
    r"|[+(]?(?:[xX*\u2022#9]{2,5}[ .()/-]{0,3}){2,6}"
)
"""`***`, `xxx-xx-xxxx`, `**** **** **** 1234`, `999-99-9999`."""
_PATTERN = re.compile(
    r"\^|\\[dwsSDWbpuA]|\[[^\]]{1,40}-[^\]]{1,40}\][{+*]|\(\?[:=!P]|\.\*|\{[0-9]{1,4},[0-9]{0,4}\}"
)
"""Signs of a regular expression."""
_PART = "yyyy|yy|jjjj|aaaa|dd|d|mmmm|mmm|mm|m|tt|jj|gg|hh|ss|z"
_FORMAT = re.compile(rf"(?:{_PART})(?:[ ./:t-]{{0,2}}(?:{_PART})){{1,7}}", re.IGNORECASE)
"""`YYYY-MM-DD`, `TT.MM.JJJJ`."""
_TYPED = re.compile(
    r"(?:n?var)?char(?:acter)?2?(?: varying)?\s?\([0-9a-z]{1,5}\).{0,60}"
    r"|(?:numeric|decimal|int|bigint|float|binary|varbinary|enum|array|list|dict|optional|union"
    r"|literal|text|string|str|timestamp)\s?[(\[<].{0,120}"
    r"|[a-z0-9_]{1,30}(?:\s(?:not null|primary key|unique|default\b.{0,60})){1,4}"
    r"|(?:string|str|int|integer|number|boolean|bool|date|any)(?:\[\]|\?|\s?\|\s?\w{1,20}){1,4}",
    re.IGNORECASE,
)
"""`varchar(32)`, `Optional[str]`, `text not null`, `string | null`."""
_CHECKS = re.compile(
    r"(?:required|nullable|sometimes|optional|string|email|unique|confirmed|min|max|integer|numeric"
    r"|regex)(?::[^|]{0,40})?(?:\|[a-z_]{1,30}(?::[^|]{0,60})?){1,12}"
)
"""`required|email|max:255`."""


_VERSION = re.compile(r"[\^~>=]{0,2}[0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,6})?(?:-[\w.]{1,20})?")
"""A package version, as of a package named `cookie`."""


@mypyc_attr(acyclic=True)
class ValueWords:
    """Words of values, in lower case.

    ``nothing`` are dummies for any value, ``settings`` describe a state. ``names`` are those that
    are names if capitalised. ``common`` are words of titles and tasks, not parts of a name.
    """

    __slots__ = ("common", "names", "nothing", "passwords", "settings")

    def __init__(self, lists: Mapping[str, frozenset[str]]) -> None:
        self.nothing: Final = lists["nothing"] | lists["nothing said"]
        self.settings: Final = lists["settings"]
        self.names: Final = lists["names too"]
        self.common: Final = lists["common"]
        self.passwords: Final = lists["passwords too"]


@lru_cache(maxsize=1)
def load_value_words() -> ValueWords:
    """Return the words of the package's list, read once."""
    text = (resources.files("redact") / "value_words.json").read_text(encoding="utf-8")
    lists = {
        name: frozenset(word for row in rows for word in row.split(", "))
        for name, rows in json.loads(text).items()
    }
    return ValueWords(lists)


def is_dummy_value(text: str, rule: str, *, certain: bool) -> bool:
    """Return whether a stripped value is a dummy for a datum of a type.

    A name may be a word that is a dummy elsewhere (`Na`, `Long`), a password may be any word.
    """
    return _is_word_for_nothing(text, rule, certain=certain) or _is_form(text, rule)


def _is_word_for_nothing(text: str, rule: str, *, certain: bool) -> bool:
    if len(text) > _LONGEST:
        return False
    words = load_value_words()
    word = text.lower().rstrip(".!")
    is_name = rule == "PERSON" and certain and text.istitle()
    if word in words.nothing:
        if rule == "SECRET" and certain:
            return word not in words.passwords
        return not (is_name and word in words.names)
    return word in words.settings and rule not in _ANY_WORD and not is_name


_LONGEST = 40
_ANY_WORD = frozenset({"SECRET", "USER_ID"})
"""Types whose values may be any word."""


def _is_form(text: str, rule: str) -> bool:
    """Return whether a value is a template, a mask, a version, a type, a check or a pattern."""
    first = text[0]
    if first in "<{[%$_" and _BRACKETED.fullmatch(text):
        return True
    if first in _MASKS and _MASKED.fullmatch(text):
        return True
    if (first in "^~>=" or (rule == "SECRET" and first.isdigit())) and _VERSION.fullmatch(text):
        return True
    if text.isascii() and (first.isalpha() or first in "/!") and _is_written_in_code(text):
        return True
    if is_code(text, rule):
        return True
    return rule != "SECRET" and not first.isdigit() and _PATTERN.search(text) is not None


def _is_written_in_code(text: str) -> bool:
    """Return whether a value names the source, type or form of a datum."""
    forms = (_INVITATION, _TYPED, _FORMAT, _REFERENCE)
    if any(form.fullmatch(text) for form in forms):
        return True
    return "|" in text and _CHECKS.fullmatch(text) is not None


_MASKS = "xX*#?_.-+(9\u2022\u25cf\u00b7\u2026"


def has_only_ordinary_words(text: str) -> bool:
    """Return whether a value has ordinary words only: `customer.email_address`, `is invalid`."""
    parts = [part for part in _APART.split(text) if part]
    return bool(parts) and all(map(is_ordinary_word, parts))


_APART = re.compile(r"[\s._/-]+")


@lru_cache(maxsize=4_096)
def is_ordinary_word(word: str) -> bool:
    """Return whether a word is a setting or a word of keys, so not part of a name."""
    bare = fold_letters(word.strip(".,'\"()"))
    words = load_value_words()
    if bare in words.nothing or bare in words.settings or bare in words.common:
        return True
    return (bare,) in load_key_words().by_words
