"""What the spellings of one value have in common, so that it has one stand-in in all of them.

Telephone numbers become E.164 (ITU-T); a number without a country's code is read as one of the
first of some regions in which it is valid. Numbers of cards, accounts and persons lose what groups
their digits, names lose case and the marks on their letters, all else case and white space.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from redact.scripts import unmarked

_PHONE: Final = "PHONE_NUMBER"
_BY_DIGITS: Final = frozenset({"CREDIT_CARD", "US_SSN", "US_BANK_NUMBER", "US_ITIN", "UK_NHS"})
_WITHOUT_GROUPS: Final = frozenset({"IBAN_CODE", "NATIONAL_ID", "US_PASSPORT", "VEHICLE_ID"})
_BY_NAME: Final = frozenset({"PERSON"})
_NOT_DIGITS: Final = re.compile(r"\D+")
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_SPACES: Final = re.compile(r"\s+")
_ABROAD: Final = re.compile(r"\s*(?:\+|00(?=[1-9]))")
_NOWHERE: Final = "ZZ"
"""The region of numbers that begin with a country's code (as `phonenumbers` has it)."""


def canonical(kind: str, value: str, regions: Sequence[str] = ()) -> str:
    """Return the canonical form of a value of a type; ``regions`` are those of the policy."""
    text = unicodedata.normalize("NFKC", value)
    if kind == _PHONE:
        return _e164(text, regions) or _digits(text)
    if kind in _BY_DIGITS:
        return _digits(text)
    if kind in _WITHOUT_GROUPS:
        return _NOT_WORDS.sub("", text).casefold() or text
    if kind in _BY_NAME:
        text = unmarked(text)
    return _SPACES.sub(" ", text).strip().casefold()


def former_canonicals(kind: str, value: str, regions: Sequence[str] = ()) -> frozenset[str]:
    """Return the forms that earlier versions made of the spellings of a value.

    They made its digits of a telephone number, so each way to write it had a form of its own. The
    usual ways are here: with the country's code, without it, and with a zero in front.
    """
    if kind != _PHONE:
        return frozenset()
    text = unicodedata.normalize("NFKC", value)
    forms = {_digits(text)}
    number = _parsed(text, regions)
    if number is not None:
        national = _library().national_significant_number(number)
        whole = f"{number.country_code}{national}"
        forms |= {
            national,
            f"0{national}",
            whole,
            f"00{whole}",
            f"{number.country_code}0{national}",
        }
    return frozenset(forms)


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text) or text


def _e164(text: str, regions: Sequence[str]) -> str:
    number = _parsed(text, regions)
    if number is None:
        return ""
    library = _library()
    return str(library.format_number(number, library.PhoneNumberFormat.E164))


def _parsed(text: str, regions: Sequence[str]) -> Any:
    """Return the number that a text is, in the first region in which it is valid, else None."""
    abroad = _ABROAD.match(text)
    if abroad:
        return _in_region(f"+{text[abroad.end() :]}", _NOWHERE)
    found = (_in_region(text, region) for region in regions)
    return next((number for number in found if number is not None), None)


def _in_region(text: str, region: str) -> Any:
    library = _library()
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return None
    number.extension = number.raw_input = None
    valid = library.is_valid_number(number)
    return number if valid or region == _NOWHERE else None


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return `phonenumbers`, which a worker without redaction never loads."""
    return import_module("phonenumbers")
