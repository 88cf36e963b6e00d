"""Recognisers that search only some parts of a text find what they find in all of it."""

import re
import string
import sys
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
import regex

from redact.policies.policy import load_policy
from redact.recognition.catalogue import build_recognisers
from redact.recognition.contacts.mail_and_hosts import DisguisedMailRecogniser
from redact.recognition.matching import labelled_numbers
from redact.recognition.matching.labelled_numbers import (
    LabelledNumberRecogniser,
    lines_near_digits,
)
from redact.recognition.persons.birth_dates import BirthDateRecogniser
from tests.short_versions import short

_PIECES = (
    "phone", "SSN", "passport no", "tax id", "is", ":", " ", " ", "\n", "\n", "\n\n", "\r\n", "x",
    "521438871", "+1 212 555 0187", "5", "IBAN", "ana", " at ", " (at) ", "@", " dot ", "example",
    ".", "com", " [dot] ", "\u2028", "\u00e9", "order", "a" * 45, "vin", "birth date", "1990-05-17",
    "17/05/1990", "5-7-90", "12.", "/", "-", "7", "TIN", "tin", "#", "'s", "_", "(", ")", "\0",
    "\t", "\u04420.\u043f.", "\u1c84", "\u017f\u017fn", "\u0130ban", "v\u0131n", "\u8b77\u7167",
    "i\u0307d",
)  # fmt: skip
_ODD_TEXTS = [
    "\u017fs\u017f 521438871", "\u0130BAN DE89370400440532013000", "\u0131d no 521438871",
    "\u0130d: 521438871 id: 521438871", "SSNSSN ssn 521438871", "TIN 521438871 tin 521438871",
]  # fmt: skip


def _texts(draws: int) -> list[str]:
    random = Random(3)  # noqa: S311  # not for secrets
    drawn = ["".join(random.choices(_PIECES, k=random.randrange(1, 40))) for _ in range(draws)]
    mails = ["a\nana (at) example (dot) com\nb", "ana at example dot com, li [at] x [dot] de"]
    dates = ["born 17/05/1990", "born 1990-05-1712", "17.05.1990.", "1/1/1990/1/1/1991", "7/7/77a"]
    labelled = ["7", "phone\n5214388710", "phone\n\n5214388710"]
    return [*drawn, *mails, *dates, *labelled, *_ODD_TEXTS, "", "\n", "x" * 20_000]


_RECOGNISERS = tuple(
    recogniser
    for recogniser in build_recognisers(load_policy("strict"))
    if isinstance(
        recogniser, LabelledNumberRecogniser | DisguisedMailRecogniser | BirthDateRecogniser
    )
)


@pytest.mark.parametrize("draws", short([150, 5_000], [150]))
def test_no_match_is_outside_of_the_searched_parts(draws: int) -> None:
    """Each pattern has the same matches in the parts as in the whole text."""
    matched: Counter[str] = Counter()
    texts = _texts(draws)
    for recogniser in _RECOGNISERS:
        flags = recogniser.global_regex_flags
        for pattern in [regex.compile(each.regex, flags) for each in recogniser.patterns]:
            for text in texts:
                whole = [match.span() for match in pattern.finditer(text)]
                found = [m.span() for m in recogniser.matches(pattern, text, lambda: 60.0)]
                assert found == whole
                matched[type(recogniser).__name__] += len(whole)
    assert min(matched.values()) > 1, "the texts must have matches of all"
    assert len(matched) > 2


def test_names_are_found_in_lower_case() -> None:
    """Each letter that a name matches is that letter in lower case, or is known to be odd."""
    names = "".join(
        row.names
        for recogniser in _RECOGNISERS
        if isinstance(recogniser, LabelledNumberRecogniser)
        for row in recogniser.rows
    )
    assert not re.search(r"\\[A-Za-tv-z]", names), "a class such as \\b means something else in re"
    decoded = re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), names)
    plain = decoded.replace("(?-i:TIN)", "")
    assert plain == plain.lower()
    letters = "".join({*filter(str.isalpha, plain), *string.ascii_lowercase})
    for match in regex.finditer(f"[{letters}]", _every_character(), flags=regex.IGNORECASE):
        if not labelled_numbers.has_odd_case(match[0]):
            assert regex.fullmatch(match[0].lower(), match[0], flags=regex.IGNORECASE)
            assert match[0].lower() in letters


def _every_character() -> str:
    return "".join(c for c in map(chr, range(sys.maxunicode + 1)) if not 0xD800 <= ord(c) < 0xE000)


def test_lines_near_digits_are_disjoint_and_in_order() -> None:
    """A line is in one part at most, and lines far from a digit are in none."""
    for text in _texts(150):
        parts = lines_near_digits(text)
        assert all(before[1] <= after[0] for before, after in pairwise(parts))
        inside = sum(any(map(str.isdecimal, text[start:end])) for start, end in parts)
        assert inside == len(parts)
    assert lines_near_digits("a\nb\nc 1\nd\ne") == [(2, 8)]
