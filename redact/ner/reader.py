"""The interface of all name models: texts in, names with their spans out."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

_CHARACTERS = 20_000
"""Characters per group, which bounds the memory; larger ones take less time for a text."""


class NamedSpan(NamedTuple):
    """A name with ``label`` from ``start`` to ``end`` of a text."""

    label: str
    start: int
    end: int


class NameReader(Protocol):
    """Anything that finds names in texts."""

    def names(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        """Return the names in each text, in order of position."""


def group_texts(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in groups of limited size, or one longer text alone."""
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
