"""A segment, and what its analysis gives: findings, marked literals, identities, or a failure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.lexical.findings import PiiFinding
from schemas.reasons import QuarantineReason

NO_QUOTES: Final[Mapping[int, str]] = MappingProxyType({})


class TextSegment(msgspec.Struct, frozen=True, gc=False):
    """A text to redact; ``free`` lets the model read it."""

    text: str
    free: bool


class SegmentFailure(msgspec.Struct, frozen=True, gc=False):
    """The reason why a segment cannot be redacted. ``error`` is the name of an exception type."""

    reason: QuarantineReason
    error: str


class MarkedLiteral(msgspec.Struct, gc=False):
    """A literal of a JSON text with personal data: its span, its value, and the findings.

    ``inner`` is the analysis of a value that is JSON itself. The name model adds to ``findings``.
    ``quotes`` as in :class:`SegmentAnalysis`.
    """

    start: int
    end: int
    text: str
    is_number: bool
    findings: tuple[PiiFinding, ...]
    inner: "SegmentAnalysis | None"
    quotes: Mapping[int, str] = NO_QUOTES


class SegmentAnalysis(msgspec.Struct, gc=False):
    """The personal data in a segment. For JSON ``marks`` holds the literals, else it is None.

    ``learnt`` are the identities that the segment states, to be searched for in the entire record.
    ``quotes`` must enclose a stand-in, by the start of the finding: a JSON number becomes a string.
    ``prose`` are the literals that the name model is still to read.
    """

    findings: tuple[PiiFinding, ...] = ()
    marks: tuple[MarkedLiteral, ...] | None = None
    learnt: frozenset[IdentityValue] = NO_IDENTITIES
    quotes: Mapping[int, str] = NO_QUOTES
    prose: tuple[MarkedLiteral, ...] = ()

    def drop_prose(self) -> None:
        """Drop the literals that were only there for the model."""
        self.prose = ()
        if self.marks is not None:
            for mark in self.marks:
                if mark.inner is not None:
                    mark.inner.drop_prose()
            self.marks = tuple([m for m in self.marks if m.findings or m.inner is not None])
