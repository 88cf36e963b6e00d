"""Checks whether a value under a name key can be a person's name, not a label or organisation."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from redact.field_keys.dummy_values import is_ordinary_word
from redact.lexical.given_names import is_given_name

CAMEL_CASE = re.compile(r"(?!(?:Mc|Mac|De|Di|Le|La|Van|Von|Fitz|San|Ma?c)[A-Z])[A-Za-z]*[a-z][A-Z]")
"""A word of source code such as `getUser` or `StringList`, but not `McDonald`."""


@mypyc_attr(acyclic=True)
class FieldValue:
    """A stripped value under a personal key, with counts of its characters.

    ``certain`` means that the key alone decides, ``is_number`` that it is a JSON number.
    """

    __slots__ = ("certain", "digits", "is_number", "letters", "text")

    def __init__(
        self, text: str, digits: int, letters: int, *, certain: bool, is_number: bool
    ) -> None:
        self.text: Final = text
        self.certain: Final = certain
        self.is_number: Final = is_number
        self.digits: Final = digits
        self.letters: Final = letters


def is_person_name(value: FieldValue) -> bool:
    """Return whether a value can be a name; under a vague key it must look like one."""
    text = value.text
    if value.is_number or not value.letters or len(text) > LONGEST_NAME:
        return False
    if "_" in text and _JOINED.fullmatch(text):
        text = text.replace("_", " ")  # `Mia_Li`
    if not _is_made_like_a_name(text) or text in _SMALL_WORDS:
        return False
    parts = text.split()
    if len(parts) > _MOST_NAMES or (text[-1] in "?!" and len(parts) > 1):
        return False
    if text.isascii() and any(CAMEL_CASE.match(part) for part in parts):
        return False
    if len(parts) > 1 and _names_no_person(text, parts):
        return False
    return value.certain or _looks_like_a_name(text, parts)


_JOINED = re.compile(r"[^\W\d_a-z][^\W\d_]+(?:_[^\W\d_a-z][^\W\d_]+){1,3}")
_SMALL_WORDS = frozenset(
    [
        *("are", "at", "be", "by", "for", "from", "in", "into", "is", "it", "its", "of", "or"),
        *("that", "the", "then", "this", "was", "when", "which", "while", "with"),
    ]
)
"""Words of a sentence, in lower case, that are not names."""
_IS_LABEL = re.compile(
    r"\b(?:name|namen?|naam|nom|nombre|nome|namn|nazwisko|imię|apellidos?|cognome|имя|фамилия)\Z",
    re.IGNORECASE,
)
"""`First name`, `Your name` are labels of a field."""
_ORGANISATION = re.compile(
    r"\b(?:team|group|inc\.?|ltd\.?|llc|llp|plc|gmbh|corp\.?|corporation|company|foundation|project|"
    r"maintainers|developers|contributors|authors|services|solutions|technologies|systems|software|"
    r"labs|laborator(?:y|ies)|institute|university|association|consortium|committee|department|"
    r"society|council|agency|service|services|support|helpdesk|help[ ]desk|customer[ ]care|"
    r"service[ ]client|atenci\u00f3n[ ]al[ ]cliente|servizio[ ]clienti|klantenservice|"
    r"kundenservice|kundendienst|\u00e9quipe|equipo|equipe|zesp\u00f3\u0142|ministry|holdings?|partners|industries|"
    r"enterprises|maintenance|verein|stiftung|universit[\u00e4a]t|gesellschaft|b\.?v\.|s\.?r\.?l\.?|s\.?p\.?a\.?|s\.?a\.?r\.?l\.?|"
    r"fundaci\u00f3n|fondation|associazione|universidad|universit\u00e9)\Z",
    re.IGNORECASE,
)
"""Words that end the name of an organisation: `Fenway Sports Group`, `Debian Kernel Team`."""


def _names_no_person(text: str, parts: Sequence[str]) -> bool:
    """Return whether words are a field label, an organisation, or an ordinary phrase."""
    if _IS_LABEL.search(text) or _ORGANISATION.search(text):
        return True
    return text.islower() and _says_something(parts)


def is_organisation(text: str) -> bool:
    """Return whether the last word is one for an organisation: `The Support Team`."""
    return " " in text and _ORGANISATION.search(text) is not None


def _says_something(parts: Sequence[str]) -> bool:
    """Return whether lower-case words are not a name: `passenger: window seat`."""
    return any(map(is_ordinary_word, parts)) and not any(map(is_given_name, parts))


LONGEST_NAME = 80
_MOST_NAMES = 7
_BETWEEN = frozenset(" \t.,'\u2019\u2018`\u00b4\u00b7\u30fb\u2010\u2011\u2013-()\"&\u3000;/")


def _is_made_like_a_name(text: str) -> bool:
    """Return whether a value consists of letters of any script and of signs used in names."""
    if not (text[0].isalpha() or text[0] in "'\u2019\"("):
        return False
    for character in text:
        if character.isalpha() or character in _BETWEEN:
            continue
        if unicodedata.category(character)[0] != "M":
            return False
    return "/" not in text or " " in text


def _looks_like_a_name(text: str, parts: list[str]) -> bool:
    """Judge a value under a vague key: capitals, or words that do not occur in keys."""
    if len(parts) > _MOST_VAGUE:
        return False
    if not any(map(str.isupper, text)) and not any(map(str.islower, text)):
        return len(text) <= _LONGEST_WITHOUT_CAPITALS
    if len(parts) == 1:
        return text[0].isupper() and not is_ordinary_word(text)
    named = [part for part in parts if len(part) > _PARTICLE or not part.islower()]
    if named and all(part[0].isupper() for part in named):
        return not all(map(is_ordinary_word, named))
    joined = "-" in text and not _is_of_a_name(parts)  # `us-east-1`, but not `lena al-tamimi`
    lower = text.islower() and not joined and len(parts) <= _MOST_LOWER
    return lower and not any(map(is_ordinary_word, parts))


def _is_of_a_name(parts: Sequence[str]) -> bool:
    """Return whether hyphenated words begin with a given name, or with an article of names."""
    return is_given_name(parts[0].partition("-")[0]) or (
        len(parts) > 1 and parts[-1].startswith(_ARTICLES)
    )


_ARTICLES = ("al-", "el-", "bin-", "ben-", "ibn-", "abd-", "abu-")
_LONGEST_WITHOUT_CAPITALS = 30
_MOST_VAGUE = 5
_MOST_LOWER = 3
_PARTICLE = 3
