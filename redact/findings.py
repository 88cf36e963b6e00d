"""What a detector says: a type of personal data and where it stands in a text."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Finding(msgspec.Struct, frozen=True, order=True, gc=False):
    """One stretch of personal data: ``text[start:end]`` is of ``type`` with a ``score`` in 0..1."""

    type: str
    start: int
    end: int
    score: float

    def at(self, start: int, end: int) -> "Finding":
        """Return the same finding in another place."""
        return Finding(self.type, start, end, self.score)

    def scored(self, score: float) -> "Finding":
        """Return the same finding with another score."""
        return Finding(self.type, self.start, self.end, score)


class Detector(Protocol):
    """Anything that finds personal data in one text."""

    def find(self, text: str) -> list[Finding]:
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

    def find(self, texts: Sequence[str]) -> list[list[Finding]]:
        """Return the findings of each text, in the order of ``texts``."""


class TextTimeoutError(Exception):
    """A text was given up because its time was over. Carries nothing of the text."""


def disjoint(findings: Sequence[Finding]) -> list[Finding]:
    """Merge overlapping findings, so that each character belongs to one at most.

    A merged finding covers all that its parts covered and takes the type of the strongest part
    (highest score, then the longest): nothing that was found is left standing at an edge.
    """
    if len(findings) < 2:
        return list(findings)
    ordered = sorted(findings, key=lambda f: (f.start, -f.end))
    merged: list[Finding] = []
    strongest = ordered[0]
    start, end = strongest.start, strongest.end
    for finding in ordered[1:]:
        if finding.start >= end:
            merged.append(Finding(strongest.type, start, end, strongest.score))
            strongest, start, end = finding, finding.start, finding.end
            continue
        end = max(end, finding.end)
        if _strength(finding) > _strength(strongest):
            strongest = finding
    merged.append(Finding(strongest.type, start, end, strongest.score))
    return merged


def _strength(finding: Finding) -> tuple[float, int, str]:
    return (finding.score, finding.end - finding.start, finding.type)
