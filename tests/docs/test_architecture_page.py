"""The page of the architecture names the rooms, modules and steps that there are."""

import re

from stream.failpoints import FlushStep
from tests.architecture.source import ROOMS, ROOT
from tests.docs.pages import read_page

PAGE = read_page("docs/architecture.md")


def test_the_rooms_are_those_of_the_source() -> None:
    """Each room has a row, and no row is of anything else."""
    rows = re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(ROOMS)


def test_modules_on_the_page_exist() -> None:
    """Every path in code names a file or folder of the repository."""
    paths = re.findall(r"`([\w/]+/[\w/.]*)`", PAGE)
    assert len(paths) > 12
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_steps_of_a_flush_are_those_that_the_fault_tests_use() -> None:
    """By name, and in the order in which they happen."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == list(FlushStep)
