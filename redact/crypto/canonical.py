"""Canonical forms of values, so that all spellings of a value get the same pseudonym.

Telephone numbers become E.164 (ITU-T); a number without a country code is read in the first of the
policy's regions where it is valid. Card, account and personal numbers lose their separators,
names lose case and diacritics, everything else loses case and white space. A machine address is
written as in RFC 5952, a hardware address as hexadecimal digits, a mail address in words as an
address, a birth date as ISO 8601 if day and month are unambiguous.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from redact.lexical.scripts import strip_diacritics

_PHONE: Final = "PHONE_NUMBER"
_BY_DIGITS: Final = frozenset({"CREDIT_CARD", "US_SSN", "US_BANK_NUMBER", "US_ITIN", "UK_NHS"})
_WITHOUT_GROUPS: Final = frozenset({"IBAN_CODE", "NATIONAL_ID", "US_PASSPORT", "VEHICLE_ID"})
_BY_NAME: Final = frozenset({"PERSON"})
_NOT_DIGITS: Final = re.compile(r"\D+")
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_SPACES: Final = re.compile(r"\s+")
_ABROAD: Final = re.compile(r"\s*(?:\+|00(?=[1-9]))")
_NO_REGION: Final = "ZZ"
"""The region of numbers that begin with a country code (a name of `phonenumbers`)."""


def canonical_form(kind: str, value: str, regions: Sequence[str] = ()) -> str:
    """Return the canonical form of a value of a type; ``regions`` are those of the policy."""
    text = unicodedata.normalize("NFKC", value)
    if kind == _PHONE:
        return _e164(text, regions) or _digits(text)
    if kind in _BY_DIGITS:
        return _digits(text)
    if kind in _WITHOUT_GROUPS:
        return _NOT_WORDS.sub("", text).casefold() or text
    if kind in _BY_NAME:
        text = strip_diacritics(text)
    plain = _plain(text)
    spelt = _SPELT.get(kind)
    return plain if spelt is None else spelt(plain) or plain


def former_canonical_forms(kind: str, value: str, regions: Sequence[str] = ()) -> frozenset[str]:
    """Return the canonical forms that earlier versions gave to the spellings of a value.

    Earlier versions reduced a telephone number to its digits, so each spelling had its own form.
    The usual ones are returned: with the country code, without it, and with a leading zero. Mail
    addresses, birth dates and machine addresses were only lower-cased.
    """
    text = unicodedata.normalize("NFKC", value)
    if kind in _SPELT:
        return frozenset({_plain(text)} - {canonical_form(kind, value, regions)})
    if kind != _PHONE:
        return frozenset()
    forms = {_digits(text)}
    phone = _parse_phone(text, regions)
    if phone is not None:
        national = _library().national_significant_number(phone)
        international = f"{phone.country_code}{national}"
        forms |= {
            national,
            f"0{national}",
            international,
            f"00{international}",
            f"{phone.country_code}0{national}",
        }
    return frozenset(forms)


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text).strip().casefold()


def _mail_address(text: str) -> str:
    """Return a mail address whose signs may be written as words or with spaces around them."""
    text = text.removeprefix("mailto:")
    if "@" not in text or " " in text or "[" in text or "(" in text:
        text = _DOT.sub(".", _AT.sub("@", text))
    return text.replace(" ", "")


_OPEN, _CLOSE = r"[ ]?[\[({<][ ]?", r"[ ]?[\])}>][ ]?"
_AT: Final = re.compile(
    rf"{_OPEN}(?:at|a|@|\u00e4t|arroba|chiocciola|ma\u0142pa|apenstaartje|arobase){_CLOSE}"
    r"|[ ]?@[ ]?|[ _-](?:at|\u00e4t|arroba|chiocciola|ma\u0142pa|arobase)[ _-](?=[^@]*\Z)"
)
_DOT: Final = re.compile(
    rf"{_OPEN}(?:dot|\.|punkt|punto|point|ponto|kropka|punt){_CLOSE}|[ ]?\.[ ]?"
    r"|[ _-](?:dot|punkt|punto|point|ponto|kropka|punt)[ _-]"
)


def _ip_address(text: str) -> str:
    """Return a machine address as in RFC 5952, or an empty string if it is not one."""
    bare = _DOT.sub(".", text).strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _mac_address(text: str) -> str:
    return _NOT_WORDS.sub("", text)


def _date(text: str) -> str:
    """Return a date as ISO 8601, or an empty string if day and month are ambiguous."""
    numbers = [int(part) for part in re.findall(r"[0-9]+", text)]
    if len(numbers) == 3 and numbers[0] > _LAST_DAY and _ISO.search(text):
        year, month, day = numbers
    elif len(numbers) == 3 and numbers[2] > _LAST_DAY:
        first, second, year = numbers
        if "." not in text and first <= _LAST_MONTH and second <= _LAST_MONTH and first != second:
            return ""
        day, month = (second, first) if second > _LAST_MONTH else (first, second)
    elif len(numbers) == 2 and (month_match := _MONTH.search(text)) is not None:
        day, year = sorted(numbers)
        month = _MONTHS.index(month_match[1][:3]) + 1
    else:
        return ""
    valid = 1 <= month <= _LAST_MONTH and 1 <= day <= _LAST_DAY and year >= _FIRST_YEAR
    return f"{year:04}-{month:02}-{day:02}" if valid else ""


_LAST_DAY, _LAST_MONTH, _FIRST_YEAR = 31, 12, 1800
_ISO: Final = re.compile(r"\A[0-9]{4}[-/. ]{1,3}[0-9]{1,2}[-/. ]{1,3}[0-9]{1,2}\Z")
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_MONTH: Final = re.compile(rf"({'|'.join(_MONTHS)})[a-z]*")
_SPELT: Final[Mapping[str, Callable[[str], str]]] = {
    "EMAIL_ADDRESS": _mail_address,
    "IP_ADDRESS": _ip_address,
    "MAC_ADDRESS": _mac_address,
    "DATE_OF_BIRTH": _date,
}
"""Types with spelling rules of their own."""


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text) or text


def _e164(text: str, regions: Sequence[str]) -> str:
    phone = _parse_phone(text, regions)
    if phone is None:
        return ""
    library = _library()
    return str(library.format_number(phone, library.PhoneNumberFormat.E164))


def _parse_phone(text: str, regions: Sequence[str]) -> Any:
    """Return the parsed number, in the first region where it is valid, else None."""
    abroad = _ABROAD.match(text)
    if abroad:
        return _parse_in_region(f"+{text[abroad.end() :]}", _NO_REGION)
    candidates = (_parse_in_region(text, region) for region in regions)
    return next((phone for phone in candidates if phone is not None), None)


def _parse_in_region(text: str, region: str) -> Any:
    library = _library()
    try:
        phone = library.parse(text, region)
    except library.NumberParseException:
        return None
    phone.extension = phone.raw_input = None
    valid = library.is_valid_number(phone)
    return phone if valid or region == _NO_REGION else None


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return `phonenumbers`, which a worker without redaction never loads."""
    return import_module("phonenumbers")
