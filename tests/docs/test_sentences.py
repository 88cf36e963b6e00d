"""No sentence of README and of the pages is too long to be read once."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, tracked_files
from tests.docs.pages import sentences

MOST_WORDS = 35
PAGES = [
    file
    for file in tracked_files()
    if file.suffix == ".md" and (file.parts[0] == "docs" or len(file.parts) == 1)
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_sentence_is_longer_than_a_breath(page: Path) -> None:
    """At most 35 words, tables and code excepted."""
    words = {s: len(s.split()) for s in sentences((ROOT / page).read_text(encoding="utf-8"))}
    assert {text: number for text, number in words.items() if number > MOST_WORDS} == {}


def test_the_sentences_of_a_page_are_found() -> None:
    """Paragraphs and items, not tables, code or headings; a test that finds none proves none."""
    text = "# A b\n\nOne two. Three `x. Y`\nfour!\n\n| a. b |\n\n- Five [six](x.md).\n  Seven.\n"
    text += "\n```sh\ncode. Code.\n```\n    python -m x. Y\n"
    found = [re.sub(r"\s+", " ", sentence) for sentence in sentences(text)]
    assert found == ["One two.", "Three CODE four!", "Five six.", "Seven."]
