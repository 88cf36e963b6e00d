"""Findings: spans of personal data in a text, and the protocols of their detectors."""

from collections.abc import Sequence
from typing import Final, Protocol

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class PiiFinding:
    """One stretch of personal data: ``text[start:end]`` is of ``type`` with a ``score`` in 0..1.

    ``value`` is the value that the stretch represents if it differs from the text: a person's full
    name where the text has only the first name, or an address that is percent-encoded.
    """

    __slots__ = ("end", "score", "start", "type", "value")

    def __init__(
        self,
        type: str,  # noqa: A002  # as in Presidio
        start: int,
        end: int,
        score: float,
        value: str = "",
    ) -> None:
        self.type: Final = type
        self.start: Final = start
        self.end: Final = end
        self.score: Final = score
        self.value: Final = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PiiFinding) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __lt__(self, other: "PiiFinding") -> bool:
        return self._parts() < other._parts()

    def __repr__(self) -> str:
        return f"PiiFinding{self._parts()!r}"

    def _parts(self) -> tuple[str, int, int, float, str]:
        return self.type, self.start, self.end, self.score, self.value

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
