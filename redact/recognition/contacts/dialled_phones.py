"""Recognisers for telephone numbers as people write them: with a country code, or in groups.

``phonenumbers`` accepts every run of digits that some region could dial. Most such runs in traces
are times, sizes and ids, so digits alone count only after a word such as `phone`
(``redact.recognition.matching.labelled_numbers``).
"""

import re
from collections.abc import Iterator
from itertools import pairwise, takewhile
from typing import Any, Final

import phonenumbers
from phonenumbers import NumberParseException

from redact.lexical.thing_numbers import is_fraction, is_within_code
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_GROUPS = re.compile(r"[0-9]+")
_FEWEST, _MOST = 7, 15
_LONGEST_GROUP = 8
_LEAD = re.compile(
    r"[0-9A-Za-z]?[*^%][ ]?\Z|[@#\u00a7$\u20ac\u00a3\u00a5][ ]?-?\Z|[0-9][,:;]\Z|[0-9]\.\Z|0[xX]\Z"
)
_MARKUP = re.compile(r"[^\s0-9]\*{1,2}[ ]\Z|['\"]%\Z")
"""The end of bold words in Markdown (`**Phone:** 415-555-0132`), or a start of an SQL `LIKE`."""
_TAIL = re.compile(
    r"[ ]?(?:%|\u20ac|\$|\u00a3|\u00a5|(?:usd|eur|gbp|ms|sec|seconds?|bytes?|[kmgt]i?b|hz|"
    r"[kmg]hz|rows?|"
    r"px|kg|km|mm|cm|tokens?)\b)|[,:.][0-9]|[ ]?[*^=<>+][ ]?[0-9(]",
    re.IGNORECASE,
)
_NORTH_AMERICAN = re.compile(r"\(?[2-9][0-9]{2}\)?[ .-]{1,2}[2-9][0-9]{2}[.-][0-9]{4}")
"""A number in these groups counts even directly after a comma, `1,212-555-0174`."""

_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12][0-9]|3[01])(?![0-9])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:19|20)[0-9]{2}(?![0-9])"
)
_YEARS = re.compile(r"(?:19|20)[0-9]{2}(?:[ /-]+(?:19|20)[0-9]{2})+")
_SIGNED = re.compile(r"[ (]-[0-9]+\.[0-9]|\A[0-9]{1,6}[ ](?:-[ ])?[0-9]{1,3}\.[0-9]{5,}\Z")
"""A decimal after another number: `worker-3 -15.8166`, `3 22.6617694`."""
_PERIOD = re.compile(
    r"(?:19|20)[0-9]{2}[-/](?:(?:0[1-9]|1[0-2])[-/][0-9]{3,6}|[0-9]{3,6}[-/][0-9]{1,3})"
)
_QUAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){2,}")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:[ .\u00a0][0-9]{3})+")


def is_period_number(value: str) -> bool:
    """Return whether a value is a serial number within a month or year, as on invoices.

    Examples: `2024-03-1187`, `2024-0042-11`.
    """
    return _PERIOD.fullmatch(value) is not None


def is_north_american(value: str) -> bool:
    """Return whether a value is grouped like North American numbers: `415-555-0132`."""
    return _NORTH_AMERICAN.fullmatch(value) is not None


def is_dialled(text: str, start: int, end: int) -> bool:
    """Return whether a number is written as people dial it, or begins with a country code."""
    if is_within_code(text, start, end) or is_fraction(text, start, end):
        return False
    return _is_dialled(text, start, end, _GROUPS.findall(text, start, end))


def _is_dialled(text: str, start: int, end: int, groups: list[str]) -> bool:
    value = text[start:end]
    if value[:1] in ("+", "\uff0b"):
        # `at+35.836605039` is a plus sign of a form, and a decimal.
        decimal = text[start - 1 : start].isalpha() and value.count(".") == 1 and len(groups) == 2
        return not decimal and len("".join(groups)) >= _FEWEST
    if len(groups) < 2:  # alone
        return False
    if (
        _is_led(text, start, end)
        or _QUAD.fullmatch(value)
        or _is_followed(text, start, end)
        or _DATE.match(value)
        or _YEARS.fullmatch(value)
        or is_period_number(value)
        or (" " in value and _SIGNED.search(value))
    ):
        return False
    if value[:1] == "(" or ") " in value or ")" in value[:8]:
        return value.count("(") == value.count(")")
    if _THOUSANDS.fullmatch(value) and " " in value and value[0] != "0" and len(groups) > 2:
        return len(groups[0]) == 3 and _is_national(groups)  # 800 123 456
    return max(map(len, groups)) <= _LONGEST_GROUP and _is_spread(value, groups)


def _is_led(text: str, start: int, end: int) -> bool:
    """Return whether the text before a number makes it an amount, a term or part of a list."""
    lead = _LEAD.search(text, max(start - 4, 0), start)
    if lead is None or text[start - 2 : start] == "**" == text[end : end + 2]:
        return False
    if _MARKUP.search(text, max(start - 4, 0), start):
        return False
    grouped = lead[0].rstrip()[-1] in ",;#" and _NORTH_AMERICAN.fullmatch(text, start, end)
    return not grouped


def _is_followed(text: str, start: int, end: int) -> bool:
    """Return whether a unit, a decimal or a sum after a number makes it an amount."""
    if _TAIL.match(text, end) is None:
        return False
    return text[end] != "," or _NORTH_AMERICAN.fullmatch(text, start, end) is None


def _is_national(groups: list[str]) -> bool:
    return len("".join(groups)) >= 9  # numbers of 3-3-3 and longer


def _is_spread(value: str, groups: list[str]) -> bool:
    """Return whether groups form one number, not several numbers in a row."""
    if "/" in value and "-" in value:
        return False
    if len(groups) > 6 and max(map(len, groups)) > 2:  # pairs may be many
        return False
    if value[0] != "0" and groups[0] != "1" and len(groups) == 2 and len(groups[0]) != 5:
        # Two groups without a trunk prefix: 415-5550132, 98765 43210.
        return "-" in value and len(groups[0]) <= 4 and len(groups[0] + groups[1]) > 7
    return all(len(group) > 1 for group in groups[1:])


_SHORT_AND_PLAIN = re.compile(r"[0-9][0-9 ./-]{0,17}")


def max_dialled_digits(candidate: str) -> int:
    """Return the most digits that any part of a candidate that :func:`is_dialled` accepts can have.

    A part begins and ends anywhere. For a candidate that is not short and plain it is all digits.
    """
    if _SHORT_AND_PLAIN.fullmatch(candidate) is None:
        return len(candidate)
    groups = [len(group) for group in _GROUPS.findall(candidate)]
    most = max((sum(two) for two in pairwise(groups) if sum(two) > _FEWEST), default=0)
    for first in range(len(groups)):
        following = takewhile(lambda group: group > 1, groups[first + 1 :])
        if together := sum(following):
            most = max(most, groups[first] + together)
    return most


_EXTENSION = re.compile(
    r"[ ,;]{0,3}(?:[a-z\u00f3=~]{1,10}[.:=]?|#)[ .:=]{0,2}[0-9]{1,9}#?\Z", re.IGNORECASE
)


class DialledPhoneRecogniser(PatternRecogniser):
    """Finds numbers as ``phonenumbers`` reads them, without digits that are not dialled.

    It has no pattern: see ``redact.recognition.contacts.phone_walker``. ``LENIENCY`` is that of
    ``phonenumbers`` for numbers that are valid in a region.
    """

    SCORE: Final = 0.4
    LENIENCY: Final = 1

    def __init__(self, regions: tuple[str, ...]) -> None:
        super().__init__(
            supported_entity="PHONE_NUMBER",
            context=["phone", "number", "telephone", "cell", "cellphone", "mobile", "call"],
            name="PhoneRecognizer",
        )
        self.regions = regions

    def within(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """Return the span of the number without its extension, None if it does not count."""
        extension = _EXTENSION.search(text, start, end)
        end = extension.start() if extension else end
        while start < end and text[start] not in "+\uff0b(0123456789":
            start += 1
        if text[start : start + 1] == "(" and ")" not in text[start:end]:
            start += 1
            start += text[start : start + 1] == "-"
        if text[start : start + 2] == "(-":
            return None
        return (start, end) if is_dialled(text, start, end) else None


_LATIN = r"[A-Za-z\u00c0-\u024f]"
_GLUED = (
    r"(?:(?:\+[0-9]{1,3}[ .-]?)?(?:\([0-9]{2,5}\)[ ]?|"
    r"[0-9]{2,5}[ .-])[0-9]{2,5}(?:[ .-][0-9]{2,5}){0,4}"
    r"|\+[0-9]{8,15})"
)

_EIGHT_DIGITS = re.compile(r"[0-9](?:[ .()-]{0,3}[0-9]){7,}")
"""As many digits as the shortest number has, with the signs that may separate them."""
_SIGNS = ("+", "(")


class GluedPhoneRecogniser(JudgedRecogniser):
    """Finds numbers that touch a Latin letter, which ``phonenumbers`` skips."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = regions
        glued = (
            rf"{_LATIN}(?=[0-9(+])(?P<behind>{_GLUED})(?![0-9]|[.,][0-9])"
            rf"|(?=[0-9(+])(?<![0-9.,])(?P<before>{_GLUED}){_LATIN}"
        )
        super().__init__(
            supported_entity="PHONE_NUMBER",
            patterns=[ScoredPattern("Glued", glued, 0.6)],
            name="GluedPhone",
        )

    def may_stand(self, text: str) -> bool:
        """Return whether a letter touches a run as long as a number that is not just a date."""
        return any(_is_touched(text, *match.span()) for match in _EIGHT_DIGITS.finditer(text))

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the number if it is valid in a region and written as people dial it."""
        start, end = match.span("behind" if match["behind"] else "before")
        value = text[start:end]
        digits = sum(map(str.isdigit, value))
        if _FEWEST < digits <= _MOST and is_dialled(text, start, end) and self._valid(value):
            yield start, end, 0.6

    def _valid(self, value: str) -> bool:
        return any(_is_valid(value, region) for region in self._regions)


def _is_touched(text: str, start: int, end: int) -> bool:
    """Return whether a letter directly precedes or follows a number with its sign.

    A date without a sign, as in `2026-05-11T08:00`, is not a number.
    """
    if text[start - 1 : start] in _SIGNS:
        return text[end : end + 1].isalpha() or text[start - 2 : start - 1].isalpha()
    touched = text[end : end + 1].isalpha() or text[start - 1 : start].isalpha()
    return touched and _DATE.fullmatch(text, start, end) is None


def _is_valid(value: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, region))
    except NumberParseException:
        return False


_ABROAD = (
    r"(?<![0-9A-Za-z+.-])[+\uff0b][ ]?(?:\([1-9][0-9]{0,2}\)|[1-9])"
    r"(?:[ .\-()/\u00a0\u2010-\u2015]{0,2}[0-9]){7,14}(?![0-9A-Za-z]|[.][0-9])"
)


class AbroadPhoneRecogniser(JudgedRecogniser):
    """Finds numbers with a plus sign and a country code that could exist, assigned or not.

    Operators use ranges that ``phonenumbers`` does not list yet, and regulators reserve some.
    """

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PHONE_NUMBER",
            patterns=[ScoredPattern("Abroad", _ABROAD, 0.6)],
            name="AbroadPhone",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the number if its country has numbers of that length."""
        start, end = match.span()
        value = text[start:end]
        if text[start - 2 : start - 1].isdecimal() and value[1:].isdecimal():
            return  # a sum: `3 +447700900007`
        if is_dialled(text, start, end) and _is_possible(value):
            yield start, end, 0.6


def _is_possible(value: str) -> bool:
    try:
        phone = phonenumbers.parse(value.replace("+ ", "+"), None)
    except NumberParseException:
        return False
    reason = phonenumbers.is_possible_number_with_reason(phone)
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)
