"""What it means to read texts with a model, whatever the model: names with their places."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

_CHARACTERS = 5_000
"""About as many together make matrices that stay close to the processor."""


class NamedSpan(NamedTuple):
    """The characters ``start`` up to ``end`` of a text are a name of the sort ``label``."""

    label: str
    start: int
    end: int


class NameReader(Protocol):
    """Anything that finds names in texts."""

    def names(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        """Return the names in each text, in the order of their places."""


def group_texts(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in groups of so many characters, or of one text that is longer."""
    group: list[str] = []
    many = 0
    for text in texts:
        if group and many + len(text) > _CHARACTERS:
            yield group
            group, many = [], 0
        group.append(text)
        many += len(text)
    if group:
        yield group
