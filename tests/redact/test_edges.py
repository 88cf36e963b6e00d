"""Where a value ends: letters of its own alphabet only, in stock patterns and in listed words."""

# ruff: noqa: E501  # tables of forms, a row a line

import re

import pytest
import regex

from redact.policies.data_types import BY_PATTERN, DATA_TYPES, DETECTION_NOTES
from redact.policies.policy import load_policy
from redact.recognition.catalogue import build_recognisers
from redact.recognition.matching.edges import add_edges, standalone_expression


@pytest.mark.parametrize(
    ("word", "found", "kept"),
    [
        ("Ember", ["an Ember.", "_Ember_", "\u706bEmber\u306e", "Ember,", "\u043eEmber"], ["Remember", "Ember2", "Emberly", "\u00e9Ember"]),
        ("\uc724\uc11c\uc900", ["\ub2f4\ub2f9\uc790\uc724\uc11c\uc900\ub2d8"], ["\uc724\uc11c"]),
        ("\u0418\u0432\u0430\u043d", ["\u0418\u0432\u0430\u043d, x", "Mr\u0418\u0432\u0430\u043d"], ["\u0418\u0432\u0430\u043d\u043e\u0432"]),
        ("A&B", ["(A&B)", "\u793eA&B"], ["AA&B"]),
    ],
)  # fmt: skip
def test_a_listed_word_inside_of_a_longer_one_is_not_it(
    word: str, found: list[str], kept: list[str]
) -> None:
    """Letters of the same script make a longer word; other scripts and underscores do not."""
    pattern = re.compile(standalone_expression(word), re.IGNORECASE)
    assert [text for text in found if not pattern.search(text)] == []
    assert [text for text in kept if pattern.search(text)] == []


def test_stock_edges_become_edges_of_ascii() -> None:
    """Boundaries of words and look-arounds for word characters are rewritten, all else is not."""
    edged = add_edges(r"(?i)(\b[A-Z][0-9]{7}\b)|(?<!\w)x(?![\w:])")
    assert r"\b" not in edged
    assert r"\w" not in edged
    for text in ("S1234567", "\u756a\u53f7S1234567\u3067\u3059", "_S1234567_"):
        assert regex.search(edged, text)
    assert not regex.search(edged, "AS1234567")


def test_each_type_says_how_it_is_found() -> None:
    """The page on what is found lists every type, and each claim has a recogniser."""
    assert set(DETECTION_NOTES) == set(DATA_TYPES)
    built = {r.supported_entities[0] for r in build_recognisers(load_policy("strict"))}
    assert built == BY_PATTERN - {"FILE"}, "files are found by the reader of content parts"
