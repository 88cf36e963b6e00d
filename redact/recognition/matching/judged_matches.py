"""Base classes for recognisers that judge each match by the text around it.

Presidio passes only the characters of a match to a check. Whether digits are a card or the end of
an identifier, an address or a version, depends on the text around them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from redact.recognition.matching.pattern_recogniser import PatternRecogniser

JudgedSpan = tuple[int, int, float]
"""Start, end and score of a span that counts."""


class GatedRecogniser(PatternRecogniser):
    """Base class of recognisers with a cheap check of a text before their patterns run."""

    def may_stand(self, text: str) -> bool:
        """Return whether a text could have findings; never False if it has one."""
        del text
        return True

    def matches(self, pattern: Any, text: str, seconds_left: Callable[[], float]) -> Iterator[Any]:
        """Yield the matches of one of its patterns in a text.

        ``seconds_left`` returns how long that may take; TimeoutError if it takes longer.
        """
        return pattern.finditer(text, timeout=seconds_left())  # type: ignore[no-any-return]


class JudgedRecogniser(GatedRecogniser):
    """Base class of recognisers with a :meth:`judge`.

    ``mark`` is a character that each match contains if no pattern matches white space; else empty.
    """

    mark = ""

    def stretches(self, text: str) -> Iterable[tuple[int, int]]:
        """Return the parts of a text to search, in order and disjoint.

        No match is outside of them, and each holds all that its matches depend on.
        """
        return ((0, len(text)),)

    def matches(self, pattern: Any, text: str, seconds_left: Callable[[], float]) -> Iterator[Any]:
        """Yield the matches in the stretches."""
        for start, end in self.stretches(text):
            yield from pattern.finditer(text, start, end, timeout=seconds_left())

    def judge(self, text: str, match: Any) -> Iterable[JudgedSpan]:
        """Return the spans of ``text`` that count, for one match of one pattern."""
        raise NotImplementedError
