"""Recognisers for telephone numbers as people write them: with a country code, or in groups.

``phonenumbers`` accepts every run of digits that some region could dial. Most such runs in traces
are times, sizes and ids, so digits alone count only after a word such as `phone`
(``redact.recognition.matching.labelled_numbers``).
"""

from collections.abc import Iterator
from typing import Any, Final

import phonenumbers
from phonenumbers import NumberParseException

from redact.recognition.contacts.dialled_numbers import (
    FEWEST_DIGITS,
    MOST_DIGITS,
    dialled_span,
    has_touched_number,
    is_dialled,
)
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser


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
        return dialled_span(text, start, end)


_LATIN = r"[A-Za-z\u00c0-\u024f]"
_GLUED = (
    r"(?:(?:\+[0-9]{1,3}[ .-]?)?(?:\([0-9]{2,5}\)[ ]?|"
    r"[0-9]{2,5}[ .-])[0-9]{2,5}(?:[ .-][0-9]{2,5}){0,4}"
    r"|\+[0-9]{8,15})"
)


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
        return has_touched_number(text)

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the number if it is valid in a region and written as people dial it."""
        start, end = match.span("behind" if match["behind"] else "before")
        value = text[start:end]
        digits = sum(map(str.isdigit, value))
        if (
            FEWEST_DIGITS < digits <= MOST_DIGITS
            and is_dialled(text, start, end)
            and self._valid(value)
        ):
            yield start, end, 0.6

    def _valid(self, value: str) -> bool:
        return any(_is_valid(value, region) for region in self._regions)


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
