"""One value has one stand-in in all its spellings, and those of earlier versions are known."""

import pytest

from redact.crypto.canonical import canonical_form, former_canonical_forms
from redact.crypto.pseudonyms import Pseudonyms
from tests.redact.kit import KEYS

SPELLINGS = {
    "MAC_ADDRESS": ("00:1A:2b:3C:4d:5E", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "001A2B3C4D5E"),
    "IP_ADDRESS": ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1", "[2001:db8::1]"),
    "EMAIL_ADDRESS": (
        "Ana.Li@example.com",
        "ana.li (at) example (dot) com",
        "ana dot li at example dot com",
        "ana.li @ example . com",
        "a n a . l i @ e x a m p l e . c o m",
        "mailto:ana.li@example.com",
    ),
    "DATE_OF_BIRTH": (
        "1990-04-25",
        "25.04.1990",
        "April 25, 1990",
        "25th of April 1990",
        "04/25/1990",
    ),
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_all_spellings_have_one_stand_in(kind: str) -> None:
    """However a value is written, a reader sees that it is the same."""
    pseudonyms = Pseudonyms(KEYS)
    assert len({pseudonyms.placeholder(kind, one) for one in SPELLINGS[kind]}) == 1


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("IP_ADDRESS", "192[.]0[.]2[.]1", "192.0.2.1"),
        ("IP_ADDRESS", "::ffff:192.0.2.1", "192.0.2.1"),
        ("DATE_OF_BIRTH", "4.5.1990", "1990-05-04"),
    ],
)
def test_disguises_are_undone(kind: str, one: str, other: str) -> None:
    """What a disguise hides is compared."""
    assert canonical_form(kind, one) == canonical_form(kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("DATE_OF_BIRTH", "04/05/1990", "1990-05-04"),
        ("DATE_OF_BIRTH", "04/05/1990", "1990-04-05"),
        ("EMAIL_ADDRESS", "ana@ex-at-home.com", "ana@ex@home.com"),
        ("EMAIL_ADDRESS", "ana.li@example.com", "analli@example.com"),
    ],
)
def test_what_may_be_two_values_is_not_made_one(kind: str, one: str, other: str) -> None:
    """A date that can be read in two ways is neither; words in an address are a part of it."""
    assert canonical_form(kind, one) != canonical_form(kind, other)


@pytest.mark.parametrize("kind", SPELLINGS)
def test_erasure_finds_what_earlier_versions_made(kind: str) -> None:
    """They compared these types in small letters only."""
    for one in SPELLINGS[kind]:
        small = " ".join(one.split()).casefold()
        assert small == canonical_form(kind, one) or small in former_canonical_forms(kind, one)
