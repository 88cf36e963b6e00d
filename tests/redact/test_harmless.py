"""Ordinary traffic comes out as it went in: ids, times, code, logs, other languages, terms.

The figures over more of it: ``python -m benchmarks.harmless``.
"""

import pytest

from benchmarks.harmless import KINDS, TEXTS, Kept, numbers, words

MOST_IDS = 0.01
MOST = 0.005


def explained(kept: Kept) -> str:
    """Return what was changed."""
    return f"{kept.changed} changed and {kept.refused} refused of {kept.whole}: {kept.examples}"


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_things_stay(kind: str) -> None:
    """Of a thousand random numbers of things no record is refused, and as good as none changed."""
    kept = numbers(kind, 1_000)
    assert kept.refused == 0, explained(kept)
    assert kept.share <= (MOST_IDS if kind.startswith("ids") else MOST), explained(kept)


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_that_name_nobody_stay(kind: str) -> None:
    """Fewer than one word in two hundred is lost of each kind of harmless text."""
    kept = words(TEXTS[kind](), 150)
    assert kept.whole > 200
    assert kept.share < MOST, explained(kept)
