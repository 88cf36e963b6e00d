"""Findings: spans of personal data in a text, and the protocols of their detectors."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class PiiFinding(msgspec.Struct, frozen=True, order=True, gc=False):
    """One stretch of personal data: ``text[start:end]`` is of ``type`` with a ``score`` in 0..1.

    ``value`` is the value that the stretch represents if it differs from the text: a person's full
    name where the text has only the first name, or an address that is percent-encoded.
    """

    type: str
    start: int
    end: int
    score: float
    value: str = ""

    def at(self, start: int, end: int) -> "PiiFinding":
        """Return the same finding at another position."""
        return PiiFinding(self.type, start, end, self.score, self.value)

    def scored(self, score: float) -> "PiiFinding":
        """Return the same finding with another score."""
        return PiiFinding(self.type, self.start, self.end, score, self.value)

    def reading(self, value: str) -> "PiiFinding":
        """Return the same finding with ``value``, unless it has a value already."""
        if self.value:
            return self
        return PiiFinding(self.type, self.start, self.end, self.score, value)


class Detector(Protocol):
    """Anything that finds personal data in one text."""

    def find(self, text: str) -> list[PiiFinding]:
        """Return the findings in ``text``, in any order, overlaps allowed.

        Raises:
            TextTimeoutError: the text took longer than its time limit; there is no result.
        """


class NamesStage(Protocol):
    """A model that finds names in people's free text, many texts at a time.

    ``identity`` names the model and its version. It is part of the policy hash, because another
    model has other findings.
    """

    identity: str

    def find(self, texts: Sequence[str]) -> list[list[PiiFinding]]:
        """Return the findings of each text, in the order of ``texts``."""


class TextTimeoutError(Exception):
    """The time limit for a text was exceeded. Contains nothing of the text."""
