"""Reads labelled lines: a text, and the position and type of the personal data in it.

A line is a JSON object with ``text`` and either ``spans`` (or ``entities``, ``labels``, ``label``:
offsets in characters, with a type) or ``values`` (the values themselves, wherever they occur).
Common type names of other tools are accepted; see ``FOREIGN_TYPES``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from redact.lexical.findings import PiiFinding
from redact.policies.data_types import DATA_TYPES

FOREIGN_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ACCOUNT_NUMBER": "US_BANK_NUMBER",
        "ADDRESS": "STREET_ADDRESS",
        "API_KEY": "SECRET",
        "BANK_ACCOUNT": "US_BANK_NUMBER",
        "CARD": "CREDIT_CARD",
        "CC": "CREDIT_CARD",
        "CITY": "LOCATION",
        "COUNTRY": "LOCATION",
        "CREDIT_CARD_NUMBER": "CREDIT_CARD",
        "CREDITCARDNUMBER": "CREDIT_CARD",
        "DATE": "DATE_TIME",
        "DATEOFBIRTH": "DATE_OF_BIRTH",
        "DOB": "DATE_OF_BIRTH",
        "DOMAIN_NAME": "URL",
        "DRIVER_LICENSE": "NATIONAL_ID",
        "EMAIL": "EMAIL_ADDRESS",
        "FAC": "LOCATION",
        "FAX": "PHONE_NUMBER",
        "FIRST_NAME": "PERSON",
        "FIRSTNAME": "PERSON",
        "FULL_NAME": "PERSON",
        "GIVENNAME": "PERSON",
        "GPE": "LOCATION",
        "HOSTNAME": "HOST",
        "IBAN": "IBAN_CODE",
        "ID_CARD": "NATIONAL_ID",
        "IDCARDNUM": "NATIONAL_ID",
        "IP": "IP_ADDRESS",
        "LAST_NAME": "PERSON",
        "LASTNAME": "PERSON",
        "LICENSE_PLATE": "VEHICLE_ID",
        "LOC": "LOCATION",
        "MAC": "MAC_ADDRESS",
        "MRN": "MEDICAL_RECORD",
        "NAME": "PERSON",
        "NATIONALITY": "NRP",
        "NORP": "NRP",
        "ORG": "ORGANIZATION",
        "PASSPORT": "NATIONAL_ID",
        "PASSWORD": "SECRET",
        "PATIENT": "PERSON",
        "PER": "PERSON",
        "PHONE": "PHONE_NUMBER",
        "PHONENUMBER": "PHONE_NUMBER",
        "POSTCODE": "ZIP_CODE",
        "PREFIX": "TITLE",
        "PRIVATE_ADDRESS": "STREET_ADDRESS",
        "PRIVATE_EMAIL": "EMAIL_ADDRESS",
        "PRIVATE_PERSON": "PERSON",
        "PRIVATE_PHONE": "PHONE_NUMBER",
        "SOCIALNUM": "US_SSN",
        "SSN": "US_SSN",
        "STAFF": "PERSON",
        "STREET": "STREET_ADDRESS",
        "SURNAME": "PERSON",
        "TAX_ID": "NATIONAL_ID",
        "TELEPHONE": "PHONE_NUMBER",
        "TELEPHONENUM": "PHONE_NUMBER",
        "TIME": "DATE_TIME",
        "TOKEN": "SECRET",
        "USER": "USER_ID",
        "USERNAME": "USER_ID",
        "VIN": "VEHICLE_ID",
        "ZIP": "ZIP_CODE",
        "ZIPCODE": "ZIP_CODE",
    }
)
"""Type names in other data sets and tools, and the type that each means here."""

_SPAN_KEYS: Final = ("spans", "entities", "labels", "label")
_TYPE: Final = ("type", "entity_type", "entity", "label")
_VALUES: Final = "values"
_BOM: Final = b"\xef\xbb\xbf"


class NotLabelledError(ValueError):
    """A line is not a labelled text. States why, without content of the line."""


@dataclass(frozen=True, slots=True, repr=False)
class LabelledText:
    """A text and the personal data in it. ``unknown`` are type names that are not known."""

    text: str
    labels: tuple[PiiFinding, ...]
    unknown: tuple[str, ...]


class LabelledLineReader:
    """Reads labelled lines; ``types`` maps more names, and overrides ``FOREIGN_TYPES``."""

    def __init__(self, types: Mapping[str, str]) -> None:
        named = {_fold(name): kind for name, kind in types.items()}
        self._types = {**{kind: kind for kind in DATA_TYPES}, **FOREIGN_TYPES, **named}

    def read(self, line: bytes) -> LabelledText:
        """Return a labelled text; raise NotLabelledError if the line is not one."""
        try:
            document = json.loads(line.removeprefix(_BOM))
        except (ValueError, RecursionError):
            raise NotLabelledError("is not JSON") from None
        if not isinstance(document, dict) or not isinstance(document.get("text"), str):
            raise NotLabelledError("has no `text`")
        text = document["text"]
        labels: list[PiiFinding] = []
        unknown: list[str] = []
        for name, start, end in _label_spans(document, text):
            kind = self._types.get(_fold(name))
            if kind is None:
                unknown.append(_printable(name))
            else:
                labels.append(PiiFinding(kind, start, end, 1.0))
        return LabelledText(text, tuple(labels), tuple(unknown))


def _label_spans(document: Mapping[str, Any], text: str) -> list[tuple[str, int, int]]:
    for key in _SPAN_KEYS:
        if isinstance(document.get(key), list):
            return [_label_span(entry, text, key) for entry in document[key]]
    if isinstance(document.get(_VALUES), list):
        return [span for entry in document[_VALUES] for span in _value_spans(entry, text)]
    raise NotLabelledError("has neither `spans` nor `values`")


def _label_span(entry: Any, text: str, key: str) -> tuple[str, int, int]:
    """Return a span, given as an object or as ``[start, end, type]``."""
    start, end, name = None, None, None
    if isinstance(entry, dict):
        start, end, name = entry.get("start"), entry.get("end"), _type_of(entry)
    elif isinstance(entry, list) and len(entry) == 3:
        start, end, name = entry
    if not (type(start) is int and type(end) is int and isinstance(name, str)):
        raise NotLabelledError(f"has an entry in `{key}` without start, end and type")
    if not 0 <= start < end <= len(text):
        raise NotLabelledError(f"has an entry in `{key}` outside of its text")
    return name, start, end


def _value_spans(entry: Any, text: str) -> list[tuple[str, int, int]]:
    """Return each span where a value occurs in a text."""
    name = _type_of(entry) if isinstance(entry, dict) else None
    value = entry.get("value") if isinstance(entry, dict) else None
    if not (isinstance(name, str) and isinstance(value, str) and value):
        raise NotLabelledError("has an entry in `values` without type and value")
    spans = []
    at = text.find(value)
    while at >= 0:
        spans.append((name, at, at + len(value)))
        at = text.find(value, at + len(value))
    if not spans:
        raise NotLabelledError("has an entry in `values` that does not occur in its text")
    return spans


def _type_of(entry: Mapping[str, Any]) -> Any:
    return next((entry[key] for key in _TYPE if key in entry), None)


def _fold(name: str) -> str:
    return name.strip().upper().replace("-", "_").replace(" ", "_")


def _printable(name: str) -> str:
    """Return a type name that is safe to show: a file may hold anything in its place."""
    folded = _fold(name)
    return folded if len(folded) <= 40 and folded.replace("_", "").isalpha() else "(not a name)"
