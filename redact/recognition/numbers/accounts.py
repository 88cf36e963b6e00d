"""Recognisers for account numbers of a distinctive form: IBANs, wallets, social security."""

import re
from collections.abc import Iterator
from typing import Any

from redact.lexical.thing_numbers import is_within_code
from redact.recognition.matching.edges import LEFT, RIGHT
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern

_LENGTHS = {
    code: int(length)
    for length, codes in (
        entry.split(":")
        for entry in (
            "15:NO 16:BE 18:DK FI FO GL NL 19:MK SI 20:AT BA EE KZ LT LU XK 21:CH HR LI LV "
            "22:BG BH CR DE GB GE IE ME RS VA 23:AE GI IL IQ OM SO TL 24:AD CZ ES MD PK RO SA SE "
            "SK "
            "TN VG 25:LY PT ST 26:IS TR 27:BI DJ FR GR IT MC MR SM 28:AL AZ BY CY DO GT HU LB NI "
            "PL SV 29:BR EG PS QA UA 30:JO KW MU YE 31:MT SC 32:LC 33:RU"
        )
        .replace(" ", ",")
        .replace(",1", " 1")
        .replace(",2", " 2")
        .replace(",3", " 3")
        .split()
    )
    for code in codes.split(",")
}
"""Lengths of IBANs by country (SWIFT IBAN registry, release 99)."""

_JOIN = r"[ .\-\u2010-\u2015_\u00a0\u202f]"
_HEAD = 4
_WAYS = 97
_HEAD_FORM = re.compile(rf"[A-Z]{{2}}{_JOIN}?[0-9]{_JOIN}?[0-9]|[A-Za-z]{{2}}[0-9]{{2}}")
"""Lower-case letters must touch the digits: `no 69 ...` is a number after a word."""


_LETTER = r"[A-Za-z\u017f\u212a\u0130\u0131]"
_FIRST_DIGIT = re.compile(rf"[0-9](?:(?<={_LETTER}{{2}}[0-9])|(?<={_LETTER}{{2}}{_JOIN}[0-9]))")
"""The first check digit behind two letters. Its first character is a set, which is found fast."""
_BEFORE = 4
_LONGEST = 130
"""Characters of a part before that digit, and most of one number with all of its signs."""

_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9A-Za-z])", re.IGNORECASE
)
_LONGEST_UUID = 36
_MOST_OF_UUID = 21


class IbanRecogniser(JudgedRecogniser):
    """Finds international bank account numbers: a country's length, and the check of ISO 13616."""

    def __init__(self) -> None:
        codes = "|".join(sorted(_LENGTHS))
        form = (
            rf"(?<![0-9])(?=[A-Z]{{2}}{_JOIN}?[0-9]{_JOIN}?[0-9])(?:{codes}){_JOIN}?[0-9]{_JOIN}?[0-9]"
            rf"(?:{_JOIN}{{0,2}}[A-Za-z0-9]){{11,40}}"
        )
        super().__init__(
            supported_entity="IBAN_CODE",
            patterns=[ScoredPattern("IBAN", form, 1.0)],
            name="IbanRecognizer",
        )

    def stretches(self, text: str) -> list[tuple[int, int]]:
        """Return the parts that begin before two letters and a digit, those that touch as one."""
        parts: list[tuple[int, int]] = []
        for match in _FIRST_DIGIT.finditer(text):
            start = max(match.start() - _BEFORE, 0)
            end = min(start + _LONGEST + _BEFORE, len(text))
            if parts and start <= parts[-1][1]:
                start = parts.pop()[0]
            parts.append((start, end))
        return parts

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Return as many characters as the country's numbers have, if the check digits match."""
        start = match.start()
        if not _may_begin(text, start) or not _HEAD_FORM.match(text, start):
            return
        if _UUID.search(text, max(start - _MOST_OF_UUID, 0), start + _LONGEST_UUID):
            return
        length = _LENGTHS[text[start : start + 2].upper()]
        code = ""
        for index in range(start, match.end()):
            character = text[index]
            if character.isalnum():
                code += character.upper()
            if len(code) == length:
                if not text[index + 1 : index + 2].isdecimal() and is_iban(code):
                    yield start, index + 1, 1.0
                return


def _may_begin(text: str, start: int) -> bool:
    """Return whether the text before a code ends a word, or names the code."""
    before = text[max(start - 6, 0) : start]
    return not before[-1:].isascii() or not before[-1:].isalpha() or before.lower().endswith("iban")


def is_iban(code: str) -> bool:
    """Check an IBAN in capitals without spaces by ISO 7064, modulo 97 (ISO 13616)."""
    digits = "".join(str(int(c, 36)) for c in code[_HEAD:] + code[:_HEAD])
    return int(digits) % _WAYS == 1


class WalletRecogniser(JudgedRecogniser):
    """Finds Ethereum addresses: 40 hexadecimal digits after `0x`."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="CRYPTO",
            patterns=[ScoredPattern("Ethereum", rf"{LEFT}0x[0-9a-f]{{40}}{RIGHT}", 0.9)],
            name="Wallet",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Return an address with more than two different digits: others are burn addresses."""
        del text
        if len(set(match[0][2:].lower())) > 2:  # 0x000...dead has no owner
            yield *match.span(), 0.9


class PaymentReferenceRecogniser(JudgedRecogniser):
    """Finds the references of refunds and payouts: `rf_82090621`. A bank knows the account by it.

    Orders and transactions of a shop have other prefixes, and stay.
    """

    mark = "_"

    def __init__(self) -> None:
        prefix = "rf|rfnd|rfd|refund|payout|reimbursement|chargeback"
        super().__init__(
            supported_entity="US_BANK_NUMBER",
            patterns=[
                ScoredPattern(
                    "Payment", rf"(?<![0-9A-Za-z_])(?:{prefix})_[0-9]{{6,17}}{RIGHT}", 0.6
                )
            ],
            name="PaymentReference",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Return the reference with its prefix."""
        del text
        yield *match.span(), 0.6


_SSN = (
    r"(?<![0-9])(?<![0-9][-. ])(?!000)[0-9]{3}(?P<s>[-. \u2010-\u2015])(?!00)[0-9]{2}(?P=s)"
    r"(?!0000)[0-9]{4}(?![0-9]|[-.][0-9])"
)
_AMOUNT = re.compile(r"[$\u20ac\u00a3][ ]?\Z|[0-9][:/]\Z")


class SocialSecurityRecogniser(JudgedRecogniser):
    """Finds US social security numbers in their three groups.

    Sample numbers (`333-33-3333`) count: they look like real ones. Groups of zeros were
    never issued.
    """

    def __init__(self) -> None:
        super().__init__(
            supported_entity="US_SSN",
            patterns=[ScoredPattern("Grouped", _SSN, 0.5)],
            context=["social", "security", "ssn", "ssns"],
            name="UsSsnRecognizer",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Return the number unless it is part of a code or an amount."""
        start, end = match.span()
        if not is_within_code(text, start, end) and not _AMOUNT.search(
            text, max(start - 3, 0), start
        ):
            yield start, end, 0.5 if match["s"] == " " else 0.6
