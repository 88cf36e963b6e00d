"""A stretch of text is split into the tokens of spaCy, with its rules but without its engine."""

from random import Random
from typing import Any, cast

import pytest
import spacy
from spacy.symbols import ORTH

from redact.lexical.english_rules import english_stop_words, english_token_rules
from redact.recognition.plain_tokens import english_tokens, is_punctuation
from tests.short_versions import short

NLP = spacy.blank("en")
_SIGNS = "abcABCxyz0123456789.,:;!?'\"-_/\\@#%&()[]{}<>=+*^~|$\u20ac\u00a3\u00b0\u00a7\u2026\u2013"
_SIGNS += "\u2014\u2019\u201c\u201d\u00e9\u00fc\u0434\u4e2d\u0301\u200b\U0001f600\ud800"
_ENDS = ("'s", "...", ".", "n't", "km", "kg.", "http://a.b/c?d=e", "x@y.com", "www.x.de", ":-)")


def test_the_rules_are_those_of_spacy() -> None:
    """All special cases, expressions and stop words."""
    rules, theirs = english_token_rules(), cast("Any", NLP.tokenizer)
    cases = {text: tuple([t[ORTH] for t in case]) for text, case in theirs.rules.items()}
    assert rules.specials == cases
    for ours, search in (
        (rules.prefix, theirs.prefix_search),
        (rules.suffix, theirs.suffix_search),
        (rules.infix, theirs.infix_finditer),
    ):
        assert ours.pattern == search.__self__.pattern
    assert f"(?u){rules.url.pattern}" in theirs.url_match.__self__.pattern
    assert theirs.token_match is None
    assert english_stop_words() == NLP.Defaults.stop_words


@pytest.mark.parametrize("stretches", short([8_000, 400_000], always=[8_000]))
def test_equal_on_drawn_stretches(stretches: int) -> None:
    """Signs, special cases and units, in any order."""
    random = Random(stretches)  # noqa: S311  # not for secrets
    special = [text for text in english_token_rules().specials if not text.isspace()]
    for _ in range(stretches):
        pieces = random.choices((_SIGNS, special, _ENDS), k=random.randrange(1, 7))
        _compare("".join(random.choice(piece) for piece in pieces))


def test_equal_on_every_special_case() -> None:
    """Alone, in quotation marks, and before the end of a sentence."""
    for text in english_token_rules().specials:
        for stretch in (text, f'"{text}"', f"({text}).", f"{text}{text}", f"x{text}"):
            _compare(stretch)


@pytest.mark.parametrize(
    "stretch", ["(" * 2_000, "a-" * 1_000, "." * 2_000, "1" * 2_000, ":)" * 900]
)
def test_equal_on_long_stretches(stretch: str) -> None:
    """As long as a detector asks for."""
    _compare(stretch)


def test_equal_on_what_is_punctuation() -> None:
    """By the category of Unicode."""
    for code in range(0x3100):
        assert bool(NLP.vocab[chr(code)].is_punct) == is_punctuation(chr(code))


def _compare(drawn: str) -> None:
    stretch = "".join(sign for sign in drawn if not sign.isspace())
    if "\ud800" in stretch:  # spaCy cannot read half a character
        assert "".join(english_tokens().split(stretch)) == stretch
    else:
        assert english_tokens().split(stretch) == [token.text for token in NLP.make_doc(stretch)]
