"""Recognisers that search only some lines of a text find what they find in all of it."""

from collections import Counter
from itertools import pairwise
from random import Random

import regex

from redact.policies.policy import load_policy
from redact.recognition.catalogue import build_recognisers
from redact.recognition.contacts.mail_and_hosts import DisguisedMailRecogniser
from redact.recognition.matching.labelled_numbers import (
    LabelledNumberRecogniser,
    lines_near_digits,
)

_PIECES = (
    "phone", "SSN", "passport no", "tax id", "is", ":", " ", " ", "\n", "\n", "\n\n", "\r\n", "x",
    "521438871", "+1 212 555 0187", "5", "IBAN", "ana", " at ", " (at) ", "@", " dot ", "example",
    ".", "com", " [dot] ", "\u2028", "\u00e9", "order", "a" * 45, "vin", "birth date", "1990-05-17",
)  # fmt: skip


def _texts() -> list[str]:
    random = Random(3)  # noqa: S311  # not for secrets
    drawn = ["".join(random.choices(_PIECES, k=random.randrange(1, 40))) for _ in range(150)]
    mails = ["a\nana (at) example (dot) com\nb", "ana at example dot com, li [at] x [dot] de"]
    return [*drawn, *mails, "", "\n", "7", "phone\n5214388710", "phone\n\n5214388710", "x" * 20_000]


_RECOGNISERS = tuple(
    recogniser
    for recogniser in build_recognisers(load_policy("strict"))
    if isinstance(recogniser, LabelledNumberRecogniser | DisguisedMailRecogniser)
)


def test_no_match_is_outside_of_the_searched_lines() -> None:
    """Each pattern has the same matches in the parts as in the whole text."""
    matched: Counter[str] = Counter()
    for recogniser in _RECOGNISERS:
        flags = recogniser.global_regex_flags
        patterns = [regex.compile(each.regex, flags) for each in recogniser.patterns]
        for text in _texts():
            parts = list(recogniser.stretches(text))
            for pattern in patterns:
                whole = [match.span() for match in pattern.finditer(text)]
                found = [m.span() for part in parts for m in pattern.finditer(text, *part)]
                assert found == whole
                matched[type(recogniser).__name__] += len(whole)
    assert min(matched.values()) > 1, "the texts must have matches of both"
    assert len(matched) > 1


def test_lines_near_digits_are_disjoint_and_in_order() -> None:
    """A line is in one part at most, and lines far from a digit are in none."""
    for text in _texts():
        parts = lines_near_digits(text)
        assert all(before[1] <= after[0] for before, after in pairwise(parts))
        inside = sum(any(map(str.isdecimal, text[start:end])) for start, end in parts)
        assert inside == len(parts)
    assert lines_near_digits("a\nb\nc 1\nd\ne") == [(2, 8)]
