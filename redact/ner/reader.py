"""Reads texts with a pipeline: by its network alone if that is of a known kind, else as spaCy does.

Both give the same names; the first takes about a third of the time.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from spacy.language import Language

from redact.ner.network import Network
from redact.ner.words import Words

_TEXTS = 64
_CHARACTERS = 5_000
"""About as many together make matrices that stay close to the processor."""


class Named(NamedTuple):
    """The characters ``start`` up to ``end`` of a text are a name of the sort ``label``."""

    label: str
    start: int
    end: int


class Reader(Protocol):
    """Anything that finds names in texts."""

    def names(self, texts: Sequence[str]) -> list[list[Named]]:
        """Return the names in each text, in the order of their places."""


def reader_of(nlp: Language) -> Reader:
    """Return the quickest reader that a pipeline allows."""
    network = Network.of(nlp)
    return PipelineReader(nlp) if network is None else NetworkReader(nlp, network)


class PipelineReader:
    """Lets spaCy run the pipeline. What it remembers of words is freed after each call."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp

    def names(self, texts: Sequence[str]) -> list[list[Named]]:
        """Return the names in each text; see :class:`Reader`."""
        with self._nlp.memory_zone():
            return [
                [Named(span.label_, span.start_char, span.end_char) for span in doc.ents]
                for doc in self._nlp.pipe(texts, batch_size=_TEXTS)
            ]


class NetworkReader:
    """Runs the network itself, and remembers the words that people write, within bounds."""

    def __init__(self, nlp: Language, network: Network) -> None:
        self._words = Words(nlp, network.vectors, network.width)
        self._network = network

    def names(self, texts: Sequence[str]) -> list[list[Named]]:
        """Return the names in each text; see :class:`Reader`."""
        return [found for some in _together(texts) for found in self._some(some)]

    def _some(self, texts: Sequence[str]) -> Iterator[list[Named]]:
        laid = self._words.laid(texts, self._network.gap)
        for text, names in zip(texts, self._network.names(laid), strict=True):
            places = self._words.places(text) if names else []
            yield [Named(one.label, places[one.first][0], places[one.last][1]) for one in names]


def _together(texts: Sequence[str]) -> Iterator[list[str]]:
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
