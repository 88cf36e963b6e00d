"""The messages that `docs/operations.md` explains are messages that the code has."""

import re
from functools import cache

import pytest

from tests.architecture.source import ROOT, room_files
from tests.docs.pages import read_page

MESSAGES = re.findall(r'\*\*"(.+?)"\*\*', read_page("docs/operations.md"), re.DOTALL)
VARIABLE = re.compile(r"…|\b[A-Z]\b|\([^)]*\)|`[^`]*`")
"""What stands for a value in a message of the page."""


@cache
def _texts() -> str:
    """Return the source of all rooms, with texts over several lines joined."""
    texts = [(ROOT / file).read_text(encoding="utf-8") for file in room_files()]
    return "\n".join(re.sub(r'"\s*\n\s*f?"', "", text) for text in texts)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: " ".join(message.split()))
def test_a_message_that_is_explained_exists(message: str) -> None:
    """Each part of it between values is in the source."""
    parts = (part.strip() for part in VARIABLE.split(" ".join(message.split())))
    source = _texts()
    assert [part for part in parts if len(part) > 3 and part not in source] == []


def test_the_page_explains_messages() -> None:
    """A pattern that finds none would prove nothing."""
    assert len(MESSAGES) > 20
