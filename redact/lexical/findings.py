"""What a detector says: a type of personal data and where it stands in a text."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class PiiFinding(msgspec.Struct, frozen=True, order=True, gc=False):
    """One stretch of personal data: ``text[start:end]`` is of ``type`` with a ``score`` in 0..1.

    ``value`` is what the stretch stands for where that is not what it says: the full name of a
    person of whom only the first name is there, an address behind percent signs.
    """

    type: str
    start: int
    end: int
    score: float
    value: str = ""

    def at(self, start: int, end: int) -> "PiiFinding":
        """Return the same finding in another place."""
        return PiiFinding(self.type, start, end, self.score, self.value)

    def scored(self, score: float) -> "PiiFinding":
        """Return the same finding with another score."""
        return PiiFinding(self.type, self.start, self.end, score, self.value)

    def reading(self, value: str) -> "PiiFinding":
        """Return the same finding, standing for ``value`` unless it stands for another already."""
        if self.value:
            return self
        return PiiFinding(self.type, self.start, self.end, self.score, value)


class Detector(Protocol):
    """Anything that finds personal data in one text."""

    def find(self, text: str) -> list[PiiFinding]:
        """Return the findings in ``text``, in any order, overlaps allowed.

        Raises:
            TextTimeoutError: the text took longer than its budget; nothing may be concluded.
        """


class NamesStage(Protocol):
    """A model that finds names in people's free text, many texts at a time.

    ``identity`` names the model and its version: it is a part of the policy hash, because another
    model finds other things.
    """

    identity: str

    def find(self, texts: Sequence[str]) -> list[list[PiiFinding]]:
        """Return the findings of each text, in the order of ``texts``."""


class TextTimeoutError(Exception):
    """A text was given up because its time was over. Carries nothing of the text."""


def merge_overlaps(findings: Sequence[PiiFinding], text: str) -> list[PiiFinding]:
    """Merge overlapping findings in ``text``, so that each character belongs to one at most.

    A merged finding covers all that its parts covered and takes type and value of the strongest
    part (highest score, then the longest): nothing that was found is left standing at an edge, and
    what touches a value does not change its stand-in.
    """
    if len(findings) < 2:
        return list(findings)
    ordered = sorted(findings, key=lambda f: (f.start, -f.end))
    merged: list[PiiFinding] = []
    strongest = ordered[0]
    start, end = strongest.start, strongest.end
    for finding in ordered[1:]:
        if finding.start >= end:
            merged.append(_covering(strongest, start, end, text))
            strongest, start, end = finding, finding.start, finding.end
            continue
        end = max(end, finding.end)
        if _strength(finding) > _strength(strongest):
            strongest = finding
    merged.append(_covering(strongest, start, end, text))
    return merged


def _covering(finding: PiiFinding, start: int, end: int, text: str) -> PiiFinding:
    """Return a finding stretched over its neighbours, standing for what it stood for."""
    if (finding.start, finding.end) == (start, end):
        return finding
    return finding.reading(text[finding.start : finding.end]).at(start, end)


def _strength(finding: PiiFinding) -> tuple[float, int, str, str]:
    return (finding.score, finding.end - finding.start, finding.type, finding.value)
