"""Recogniser for telephone numbers in words: `four one five, five five five ...`."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from redact.recognition.matching.edges import LEFT, RIGHT
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern

_DIGITS = {
    "zero": "0",
    "oh": "0",
    "o": "0",
    "nought": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "niner": "9",
}
_WORD = rf"(?:(?:double|triple)[ -])?(?:{'|'.join(_DIGITS)}|[0-9]{{1,5}})"
_GAP = r"(?:[ ]?[,.()-][ ]?|[ ]{1,2}|[ ]?[)][ ]?[-]?[ ]?){1,2}"
SPOKEN_EXPRESSION = rf"{LEFT}(?:\+?[0-9]{{1,3}}[ ]?)?[(]?{_WORD}(?:{_GAP}{_WORD}){{3,30}}{RIGHT}"
_TOKEN = re.compile(r"double|triple|[a-z]+|[0-9]+", re.IGNORECASE)
_DIGIT_WORD = re.compile(rf"(?<![a-z])(?:{'|'.join(_DIGITS)})(?![a-z])")
_TIMES = {"double": 2, "triple": 3}
_FEWEST, _MOST = 9, 16
_LEAST_WORDS = 3
_COUNTING = "0123456789012345678909876543210987654321"


class SpokenPhoneRecogniser(JudgedRecogniser):
    """Finds nine or more digits in a row, most of them as words, as people dictate them."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PHONE_NUMBER",
            patterns=[ScoredPattern("In words", SPOKEN_EXPRESSION, 0.6)],
            name="SpokenPhone",
        )

    def may_stand(self, text: str) -> bool:
        """Return whether a text has enough words for digits."""
        words = islice(_DIGIT_WORD.finditer(text.lower()), _LEAST_WORDS)
        return sum(1 for _ in words) == _LEAST_WORDS

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the words if they are as many digits as a number has, and not counting."""
        del text
        digits, words = read_spoken_digits(match[0])
        if words >= _LEAST_WORDS and _FEWEST <= len(digits) <= _MOST and digits not in _COUNTING:
            yield *match.span(), 0.6


def read_spoken_digits(spoken: str) -> tuple[str, int]:
    """Return the digits of a dictated number, and how many of them were words."""
    digits, words, times = "", 0, 1
    for token in _TOKEN.findall(spoken.lower()):
        if token in _TIMES:
            times = _TIMES[token]
            continue
        digits += _DIGITS.get(token, token) * times
        words += token in _DIGITS
        times = 1
    return digits, words
