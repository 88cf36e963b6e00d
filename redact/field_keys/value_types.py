"""Checks a value against the type that its key names: `email: string` is not an address.

The key names a type and the value must have its shape: a loose check if the key is certain, a
strict one if it is vague. A value whose shape is clearly that of another type gets that type.
"""

import re
from collections.abc import Callable

from redact.field_keys.dummy_values import has_only_ordinary_words, is_dummy_value
from redact.field_keys.person_values import CAMEL_CASE, LONGEST_NAME, FieldValue, is_person_name
from redact.field_keys.system_accounts import is_system_account
from redact.lexical.dummy_secrets import is_dummy_secret, is_requirement

_LONGEST_VALUE = 2_000
"""Longer values are texts, which are scanned."""
_LONGEST_LINE = 120
_MOST_SPACES = 5

_URL = re.compile(r"(?:https?|ftp|wss?|data|urn|s3|gs|arn):", re.IGNORECASE)
_MAIL = re.compile(
    r"(?:mailto:)?[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,190}\.[^\W\d_]{2,24}\.?"
    r"|[^<>@]{0,80}<[^\s@<>]{1,64}@[^\s@<>]{1,190}>"
)
_DIALLED = re.compile(
    r"(?:tel:|whatsapp:|sms:)?\+[0-9][0-9 ()./-]{6,22}"
    r"|\(?0?[0-9]{2,4}\)?[ ./-][0-9]{3,4}[ .-]?[0-9]{3,5}"
)
_IPV4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5}|/[0-9]{1,2})?")
_IPV6 = re.compile(
    r"\[?(?=[0-9a-f.%]{0,40}:[0-9a-f.%]{0,40}:)[0-9a-f:.]{2,45}(?:%\w{1,16})?\]?"
    r"(?::[0-9]{1,5}|/[0-9]{1,3})?",
    re.IGNORECASE,
)
_NO_MACHINE = re.compile(r"127\.|0\.0\.0\.0|255\.255\.|\[?::1?\]?(?:[:/][0-9]+)?\Z")
"""Loopback, unspecified and broadcast addresses, and network masks."""
_MAC = re.compile(
    r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5,7}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}",
    re.IGNORECASE,
)
_WALLET = re.compile(
    r"0x[0-9a-fA-F]{40}|[13][1-9A-HJ-NP-Za-km-z]{25,39}|(?:bc1|tb1|ltc1|addr1)[0-9a-z]{20,110}"
    r"|[TLDXr][1-9A-HJ-NP-Za-km-z]{25,40}"
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"0x[0-9a-f]{1,64}|[0-9a-f]{16,}", re.IGNORECASE)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGIT = re.compile(r"[0-9]")


def type_of_value(
    rule: str, value: str, *, certain: bool = True, is_number: bool = False
) -> str | None:
    """Return the type under which a value is replaced, None if it is not a datum.

    ``rule`` is the type that the key names; without ``certain`` the value must look like it.
    ``is_number`` means that the value is a JSON number, not a string.
    """
    text = value.strip()
    if not text or len(text) > _LONGEST_VALUE:
        return None
    if not is_number and is_dummy_value(text, rule, certain=certain):
        return None
    digits, letters = sum(map(str.isdigit, text)), sum(map(str.isalpha, text))
    counted = FieldValue(text, digits, letters, certain=certain, is_number=is_number)
    if not is_number and rule not in _AS_THEY_ARE:
        other = _other_type(rule, counted)
        if other:
            return other
    check = _SHAPES.get(rule)
    if check is None:
        return rule if certain or digits else None
    return rule if check(counted) else None


_AS_THEY_ARE = frozenset({"SECRET", "IP_ADDRESS", "MAC_ADDRESS", "DATE_OF_BIRTH", "CRYPTO"})
"""Types whose values never count as another type."""
_MAY_BE_DIALLED = frozenset({"PERSON", "EMAIL_ADDRESS"})
_SHORTEST_DIALLED = 7


def _other_type(rule: str, value: FieldValue) -> str | None:
    """Return the other type that a value clearly has: machine or mail address, phone."""
    text = value.text
    is_vague_user = rule == "USER_ID" and not value.certain
    if "@" in text and rule != "EMAIL_ADDRESS" and (rule != "USER_ID" or is_vague_user):
        return "EMAIL_ADDRESS" if _MAIL.fullmatch(text) else None
    if (rule in _MAY_BE_DIALLED or is_vague_user) and _is_dialled(value):
        return "PHONE_NUMBER"
    if rule == "STREET_ADDRESS" or is_vague_user:
        return _machine_type(value)
    return None


def _is_dialled(value: FieldValue) -> bool:
    """Return whether a value is written as people dial it."""
    if value.digits < _SHORTEST_DIALLED or _ISO_DATE.match(value.text):
        return False
    return _DIALLED.fullmatch(value.text) is not None


def _machine_type(value: FieldValue) -> str | None:
    """Return the type of a machine or wallet address, None if it is neither."""
    text = value.text
    if " " in text or len(text) < _SHORTEST_ADDRESS:
        return None
    if _is_ip(value):
        return "IP_ADDRESS"
    if _MAC.fullmatch(text) and value.letters and value.digits and ":" in text:
        return "MAC_ADDRESS"
    if value.digits and value.letters and _WALLET.fullmatch(text):
        return "CRYPTO"
    return None


_SHORTEST_ADDRESS = 4


# Shapes --------------------------------------------------------------------------------------


def _is_email(value: FieldValue) -> bool:
    text = value.text
    if value.is_number or len(text) > _LONGEST_LINE:
        return False
    if "@" in text:
        return value.certain or _MAIL.fullmatch(text) is not None
    if not value.certain or _URL.match(text) or not value.letters:
        return False
    if " " not in text:
        return not has_only_ordinary_words(text)  # `customer.email_address` is the path of a field
    is_label = "mail" in text.lower() and has_only_ordinary_words(text)  # `E-mail address`
    return text.count(" ") <= _MOST_SPACES and not is_label


def _is_phone(value: FieldValue) -> bool:
    text = value.text
    if value.is_number and not text.isdigit():
        return False
    if not _FEWEST_DIALLED <= value.digits <= _MOST_DIALLED or len(text) > _LONGEST_PHONE:
        return False
    if value.certain:
        return value.letters <= _MOST_LETTERS
    plain = not value.letters and not _IPV4.fullmatch(text) and not _ISO_DATE.match(text)
    return plain and value.digits >= _SHORTEST_DIALLED and not value.is_number


_FEWEST_DIALLED = 5
_MOST_DIALLED = 32
_LONGEST_PHONE = 80
_MOST_LETTERS = 24


def _is_street(value: FieldValue) -> bool:
    text = value.text
    if value.is_number:
        return value.certain and text.isdigit()
    if len(text) > _LONGEST_ADDRESS or _HEX.fullmatch(text) or _is_no_place(value):
        return False
    if value.certain:
        return bool(value.letters or value.digits) and text.count(" ") <= _LONGEST_WRITTEN
    if not value.letters or text[0] in "/\\#@<" or "_" in text or has_only_ordinary_words(text):
        return False
    if text.count(" ") > _MOST_IN_VAGUE:
        return False
    return " " in text or "," in text or bool(value.digits) or not CAMEL_CASE.match(text)


def _is_no_place(value: FieldValue) -> bool:
    return _is_network_address(value.text) or _is_sentence(value)


def _is_sentence(value: FieldValue) -> bool:
    """Return whether a value is a sentence instead of an address, such as a program message."""
    text = value.text
    if value.digits or "," in text or text.count(" ") < _FEWEST_SPACES:
        return False
    has_cases = text != text.upper()
    return has_cases and sum(word[0].isupper() for word in text.split()) < _FEWEST_CAPITALS


_FEWEST_SPACES = 3
_FEWEST_CAPITALS = 2
_LONGEST_ADDRESS = 300
_LONGEST_WRITTEN = 40
_MOST_IN_VAGUE = 20
_NETWORK_ADDRESS = re.compile(
    r"localhost|[\w.-]{1,200}:[0-9]{1,5}|[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}"
    r"\.(?:com|org|net|io|local|internal|svc|dev|app)"
)


def _is_network_address(text: str) -> bool:
    if " " in text:
        return False
    return any(pattern.match(text) for pattern in (_URL, _NO_MACHINE)) or bool(
        _NETWORK_ADDRESS.fullmatch(text) or _UUID.fullmatch(text)
    )


def _is_secret(value: FieldValue) -> bool:
    text = value.text
    first = text.split(maxsplit=1)[0]
    is_marked = not (first[0].isalnum() and first[-1].isalnum()) or first.lower().endswith("xxx")
    if (is_marked and is_dummy_secret(first)) or (value.certain and is_requirement(text)):
        return False
    if value.is_number:
        return value.certain and len(text) >= _SHORTEST_PIN and text.isdigit()
    if not value.certain:
        return _is_random(value)
    if text.isdigit() and len(text) < _FEWEST_CODE:
        return False
    spaces = text.count(" ")
    if "=" in text or spaces < _SENTENCE:
        return True
    return spaces <= _LONGEST_PHRASE and text[-1] not in ".?!:"


_SHORTEST_PIN = 4
_FEWEST_CODE = 3
_SENTENCE = 3
_LONGEST_PHRASE = 12
_SHORTEST_RANDOM = 8
_LONG_RANDOM = 24


def _is_random(value: FieldValue) -> bool:
    """Return whether a value looks generated: letters and digits mixed, no words, no path."""
    text = value.text
    if len(text) < _SHORTEST_RANDOM or " " in text or _URL.match(text) or text[0] in "<[{$%/":
        return False
    if _UUID.fullmatch(text) or _ISO_DATE.match(text):
        return False
    if value.digits and value.letters:
        return value.digits > 1 or len(text) >= _LONG_RANDOM
    return len(text) >= _LONG_RANDOM and value.letters == len(text) and not text.islower()


def _is_zip(value: FieldValue) -> bool:
    """Return whether a value can be a postal code, which has a minimum number of digits."""
    if _BUILD.fullmatch(value.text) or (not value.certain and value.digits < _FEWEST_OF_ZIP):
        return False
    return _number_check(2, 10, 6)(value)


_BUILD = re.compile(r"[A-Za-z]{3,6}[0-9]{1,2}")
"""`zip64`, `amd64`, `bzip2`: no postal code is three letters and two digits."""
_FEWEST_OF_ZIP = 3


def _number_check(
    min_digits: int, max_digits: int, max_letters: int
) -> Callable[[FieldValue], bool]:
    """Return a check for numbers with bounds on their digits and letters."""

    def check(value: FieldValue) -> bool:
        if value.is_number and not value.text.isdigit():
            return False
        return min_digits <= value.digits <= max_digits and value.letters <= max_letters

    return check


def _is_vehicle(value: FieldValue) -> bool:
    """Return whether a value can be a VIN or a plate: short, with letters and digits."""
    text = value.text
    if value.is_number or len(text) > _LONGEST_PLATE or not (value.letters or value.digits):
        return False
    return value.certain or bool(value.digits and value.letters and text.count(" ") <= _IN_PLATE)


_LONGEST_PLATE = 24
_IN_PLATE = 3


def _is_card(value: FieldValue) -> bool:
    text = value.text
    if (value.is_number and not text.isdigit()) or value.letters > _MOST_CARD_LETTERS:
        return False
    if _FEWEST_OF_CARD <= value.digits <= _MOST_OF_CARD:
        return value.certain or not _ISO_DATE.match(text)
    return value.certain and value.digits in _CODE_OF_CARD and len(text) == value.digits


_MOST_CARD_LETTERS = 12
_FEWEST_OF_CARD = 12
_MOST_OF_CARD = 19
_CODE_OF_CARD = (3, 4)


def _is_iban(value: FieldValue) -> bool:
    if value.is_number:
        return False
    signs = value.letters + value.digits
    return _FEWEST_OF_IBAN <= signs <= _MOST_OF_IBAN and value.digits >= _FEWEST_DIGITS_OF_IBAN


_FEWEST_OF_IBAN = 8
_MOST_OF_IBAN = 40
_FEWEST_DIGITS_OF_IBAN = 6


def _is_birth_date(value: FieldValue) -> bool:
    if value.is_number:
        return _DATE_AS_NUMBER.fullmatch(value.text) is not None
    if not value.certain and value.digits < _FEWEST_OF_DATE:
        return False
    return 0 < value.digits <= _MOST_OF_DATE and len(value.text) <= _LONGEST_DATE


_DATE_AS_NUMBER = re.compile(r"(?:19|20)[0-9]{2}|-?[0-9]{5,13}|[1-9]|1[0-2]")
"""A year, a month, a date as 19790830, seconds or milliseconds since 1970."""
_LONGEST_DATE = 60
_FEWEST_OF_DATE = 3
_MOST_OF_DATE = 24


def _is_ip(value: FieldValue) -> bool:
    text = value.text
    if value.is_number or not (_IPV4.match(text) or _IPV6.match(text)):
        return False
    return any(
        (_IPV4.fullmatch(part) or _IPV6.fullmatch(part)) and not _NO_MACHINE.match(part)
        for part in map(str.strip, text.split(","))
    )


def _is_mac(value: FieldValue) -> bool:
    return not value.is_number and _MAC.fullmatch(value.text) is not None


def _is_wallet(value: FieldValue) -> bool:
    return not value.is_number and _WALLET.fullmatch(value.text) is not None


def _is_user(value: FieldValue) -> bool:
    text = value.text
    if is_system_account(text):
        return False
    if value.certain:
        if len(text) > _LONGEST_LINE or not (value.letters or value.digits):
            return False
        return text.count(" ") <= _MOST_SPACES
    if value.is_number or len(text) > _LONGEST_LOGIN or _UUID.fullmatch(text):
        return False
    if _HEX.fullmatch(text):
        return False
    return _LOGIN.fullmatch(text) is not None


_LONGEST_LOGIN = 48
_LOGIN = re.compile(
    r"[^\W\d_]{2,}(?:[._-][^\W\d_]{2,}){1,3}[._-]?[0-9]{0,8}|[^\W\d_]{2,}[._-]?[0-9]{1,8}"
)


def _is_age(value: FieldValue) -> bool:
    match = _AGE.fullmatch(value.text)
    return match is not None and 0 < int(match[1]) <= _OLDEST


_AGE = re.compile(
    r"([0-9]{1,3})(?: ?(?:years?(?: old)?|y/?o?|jahre?|ans|años|anni|anos|jaar|lat|歳|岁))?",
    re.IGNORECASE,
)
_OLDEST = 120


def _is_group(value: FieldValue) -> bool:
    return not value.is_number and value.letters > 0 and len(value.text) <= LONGEST_NAME


def _is_host(value: FieldValue) -> bool:
    """Return whether a value is the name of a machine, not the number of a container or process."""
    return bool(value.letters) and _CONTAINER.fullmatch(value.text) is None


_CONTAINER = re.compile(
    r"[0-9a-f]{12,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|localhost(?:\.localdomain)?",
    re.IGNORECASE,
)


_SHAPES: dict[str, Callable[[FieldValue], bool]] = {
    "PERSON": is_person_name,
    "EMAIL_ADDRESS": _is_email,
    "PHONE_NUMBER": _is_phone,
    "STREET_ADDRESS": _is_street,
    "ZIP_CODE": _is_zip,
    "DATE_OF_BIRTH": _is_birth_date,
    "CREDIT_CARD": _is_card,
    "IBAN_CODE": _is_iban,
    "US_BANK_NUMBER": _number_check(4, 30, 8),
    "CRYPTO": _is_wallet,
    "NATIONAL_ID": _number_check(3, 24, 14),
    "US_SSN": _number_check(7, 9, 0),
    "US_ITIN": _number_check(7, 9, 0),
    "US_PASSPORT": _number_check(3, 24, 14),
    "US_DRIVER_LICENSE": _number_check(3, 24, 14),
    "UK_NHS": _number_check(9, 10, 0),
    "MEDICAL_LICENSE": _number_check(3, 16, 8),
    "MEDICAL_RECORD": _number_check(2, 24, 14),
    "HOST": _is_host,
    "IP_ADDRESS": _is_ip,
    "MAC_ADDRESS": _is_mac,
    "SECRET": _is_secret,
    "USER_ID": _is_user,
    "VEHICLE_ID": _is_vehicle,
    "AGE": _is_age,
    "NRP": _is_group,
}
