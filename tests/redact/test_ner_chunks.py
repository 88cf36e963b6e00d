"""Long texts are cut so that nothing is lost and names stay whole."""

import re

from hypothesis import given
from hypothesis import strategies as st

from redact.ner.chunks import LONGEST_WORD, cut_chunks

TEXTS = st.text(
    alphabet=st.sampled_from([*"ab .\n!", "\u00e9", "\U0001f600", "\u4e2d"]), max_size=400
)


@given(TEXTS, st.integers(min_value=2, max_value=60))
def test_chunks_cover_what_may_hold_a_name_and_keep_to_the_limit(text: str, limit: int) -> None:
    """Pieces are in order; what is left out is an endless ASCII word or has no letter or digit."""
    rest = re.sub(rf"(?<!\S)[!-~]{{{LONGEST_WORD + 1},}}(?!\S)", lambda m: " " * len(m[0]), text)
    end = 0
    for chunk in cut_chunks(text, limit):
        assert end <= chunk.start < chunk.end <= chunk.start + limit
        assert not re.search(r"[^\W_]", rest[end : chunk.start])
        end = chunk.end
    assert not re.search(r"[^\W_]", rest[end:])


def test_a_cut_falls_after_a_sentence_rather_than_inside_a_name() -> None:
    """The end of a sentence wins over a later blank."""
    text = "We are glad to have met. Maria Teresa Fernanda de la Cruz"
    assert [text[c.start : c.end] for c in cut_chunks(text, 40)] == [
        "We are glad to have met. ",
        "Maria Teresa Fernanda de la Cruz",
    ]


def test_an_endless_word_is_skipped_and_the_text_around_it_is_kept() -> None:
    """Encoded data in a message costs no time, and hides nothing that follows."""
    text = "before " + "x" * (LONGEST_WORD + 1) + " after"
    assert [text[c.start : c.end] for c in cut_chunks(text, 1000)] == ["before ", " after"]


def test_pieces_without_a_letter_or_digit_are_skipped() -> None:
    """A megabyte of brackets or emoji costs the model no time."""
    assert not list(cut_chunks("( [ " * 500 + "\U0001f600" * 500, 100))


def test_text_without_blanks_in_another_script_is_not_skipped() -> None:
    """Chinese needs no blanks between words; a model for it must see the text."""
    text = "\u5f20\u4f1f" * 150
    assert "".join(text[c.start : c.end] for c in cut_chunks(text, 100)) == text
