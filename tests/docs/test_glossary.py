"""Each word of the glossary lives where the page says, and there is one entry for it."""

import ast
import re
from typing import NamedTuple

import pytest

from goldpan.cli.commands import COMMANDS
from schemas.arrow import TABLES
from tests.architecture.source import ROOT
from tests.docs.pages import read_page
from tests.goldpan.test_docs import command_summaries


class Term(NamedTuple):
    """A row of the page."""

    word: str
    meaning: str
    places: str


TERMS = [
    Term(*row)
    for row in re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", read_page("docs/glossary.md"), re.MULTILINE
    )
    if row[0] != "term"
]


def _exists(place: str) -> bool:
    """Return whether a place is a file, a name that a file defines, or a command."""
    if place.startswith("goldpan "):
        return any(f"{command} ".startswith(f"{place} ") for command in command_summaries(COMMANDS))
    path, _, name = place.partition(":")
    if not name:
        return (ROOT / path).exists()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.ClassDef, ast.FunctionDef)
    return any(isinstance(node, kinds) and node.name == name for node in tree.body)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.word)
def test_a_term_lives_where_the_page_says(term: Term) -> None:
    """Every file, name, command and table is there."""
    tables = re.findall(r"table `(\w+)`", term.places)
    places = re.findall(r"`([^`]+)`", re.sub(r"table `\w+`", "", term.places))
    assert set(tables) <= set(TABLES)
    assert places
    assert [place for place in places if not _exists(place)] == []


def test_a_term_is_one_word_for_one_thing_in_one_sentence() -> None:
    """No word has two rows, and no meaning has a second sentence."""
    words = [term.word for term in TERMS]
    assert len(words) == len(set(words)) >= 60
    for term in TERMS:
        assert term.meaning.endswith(".")
        assert ". " not in term.meaning
