"""Disguises are undone, and a finding in the result maps back to the right characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redact.lexical.normalisation import normalise

MAIL = "ann@example.com"


@pytest.mark.parametrize(
    "disguised",
    [
        "\uff41nn\uff20example.com",
        "a\u200bnn@exam\u00adple.com",
        "ann\\u0040example.com",
        "ann\\\\u0040example.com",
        "ann%40example.com",
        "ann%2540example.com",
        "ann&#64;example.com",
        "ann&amp;#x40;example.com",
        "ann@example\u2060.com",
        "a\u0301nn@example.com".replace("a\u0301", "a\u20dd"),
    ],
)
def test_a_disguised_value_reads_as_itself(disguised: str) -> None:
    """Each disguise of an address is decoded to the address, at its position."""
    text = f"write to {disguised} today"
    normal = normalise(text)
    assert normal is not None
    start = normal.text.index(MAIL)
    begin, end = normal.original(start, start + len(MAIL))
    assert text[begin:end] == disguised


def test_numbers_read_in_any_script() -> None:
    """Digits of other scripts and of the mathematical alphabets become ASCII."""
    normal = normalise("\u0664\u0662 \U0001d7d9 \uff17")
    assert normal is not None
    assert normal.text == "42 1 7"


def test_plain_text_needs_nothing() -> None:
    """Ordinary text, accents and typographic marks included, is not touched."""
    assert normalise("Plain: 50 % of \u00e9t\u00e9 \u2013 well") is not None
    assert normalise("100 per cent plain") is None
    assert normalise("caf\u00e9 \u201cquoted\u201d") is None


@given(st.text(max_size=200))
def test_places_lie_within_the_text_and_in_order(text: str) -> None:
    """Whatever the text, each stretch of the reading comes from a stretch of the text."""
    normal = normalise(text)
    if normal is None:
        return
    before = 0
    for index in range(len(normal.text)):
        begin, end = normal.original(index, index + 1)
        assert 0 <= begin < end <= len(text)
        assert begin >= before
        before = begin
    if normal.text:
        begin, end = normal.original(0, len(normal.text))
        assert 0 <= begin < end <= len(text)


@given(st.text(alphabet="ab@\\u0041x%25&;#\uff21\u200b\u0301", max_size=80))
def test_hostile_mixtures_never_raise(text: str) -> None:
    """Broken escapes stay as they are."""
    normal = normalise(text)
    assert normal is None or normal.text != text
