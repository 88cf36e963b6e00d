"""What sees which way to tamper with a lake is what docs/proofs.md says."""

from pathlib import Path

import pytest

from tests.tampering.measure import NOTHING, page, rows
from tests.tampering.ways import WAYS

PAGE = Path(__file__).parents[2] / "docs/proofs.md"
EACH = 7
"""One way in so many is done where there is no time for all."""


def test_some_ways_are_seen_as_the_page_says(tmp_path: Path) -> None:
    """The page lists all of them; the rows of those that are done here are the page's."""
    text = PAGE.read_text(encoding="utf-8")
    listed = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines()]
    assert [name for name in listed if name in WAYS] == list(WAYS)
    assert f"| {NOTHING} |" not in text
    for row in rows(tmp_path, list(WAYS)[::EACH]).splitlines():
        assert row in text


@pytest.mark.chaos
def test_every_way_is_seen_as_the_page_says(tmp_path: Path) -> None:
    """The page is what ``python -m tests.tampering docs/proofs.md`` writes."""
    table = rows(tmp_path)
    assert f"| {NOTHING} |" not in table
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, table) == text
