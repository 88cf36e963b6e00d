"""A segment, and what its analysis gives: findings, marked literals, identities, or a failure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mypy_extensions import mypyc_attr

from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.lexical.findings import PiiFinding
from schemas.reasons import QuarantineReason

NO_QUOTES: Final[Mapping[int, str]] = MappingProxyType({})


@mypyc_attr(acyclic=True)
class TextSegment:
    """A text to redact; ``free`` lets the model read it."""

    __slots__ = ("free", "text")

    def __init__(
        self,
        text: str,
        free: bool,  # noqa: FBT001
    ) -> None:
        self.text: Final = text
        self.free: Final = free


@mypyc_attr(acyclic=True)
class SegmentFailure:
    """The reason why a segment cannot be redacted. ``error`` is the name of an exception type."""

    __slots__ = ("error", "reason")

    def __init__(
        self,
        reason: QuarantineReason,
        error: str,
    ) -> None:
        self.reason: Final = reason
        self.error: Final = error


@mypyc_attr(acyclic=True)
class MarkedLiteral:
    """A literal of a JSON text with personal data: its span, its value, and the findings.

    ``inner`` is the analysis of a value that is JSON itself. The name model adds to ``findings``.
    ``quotes`` as in :class:`SegmentAnalysis`.
    """

    __slots__ = ("end", "findings", "inner", "is_number", "quotes", "start", "text")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        start: int,
        end: int,
        text: str,
        is_number: bool,  # noqa: FBT001
        findings: tuple[PiiFinding, ...],
        inner: "SegmentAnalysis | None",
        quotes: Mapping[int, str] = NO_QUOTES,
    ) -> None:
        self.start = start
        self.end = end
        self.text = text
        self.is_number = is_number
        self.findings: tuple[PiiFinding, ...] = findings
        self.inner = inner
        self.quotes: Mapping[int, str] = quotes


@mypyc_attr(acyclic=True)
class SegmentAnalysis:
    """The personal data in a segment. For JSON ``marks`` holds the literals, else it is None.

    ``learnt`` are the identities that the segment states, to be searched for in the entire record.
    ``quotes`` must enclose a stand-in, by the start of the finding: a JSON number becomes a string.
    ``prose`` are the literals that the name model is still to read.
    """

    __slots__ = ("findings", "learnt", "marks", "prose", "quotes")

    def __init__(
        self,
        findings: tuple[PiiFinding, ...] = (),
        marks: tuple[MarkedLiteral, ...] | None = None,
        learnt: frozenset[IdentityValue] = NO_IDENTITIES,
        quotes: Mapping[int, str] = NO_QUOTES,
        prose: tuple[MarkedLiteral, ...] = (),
    ) -> None:
        self.findings: tuple[PiiFinding, ...] = findings
        self.marks: tuple[MarkedLiteral, ...] | None = marks
        self.learnt: frozenset[IdentityValue] = learnt
        self.quotes: Mapping[int, str] = quotes
        self.prose: tuple[MarkedLiteral, ...] = prose

    def drop_prose(self) -> None:
        """Drop the literals that were only there for the model."""
        self.prose = ()
        if self.marks is not None:
            for mark in self.marks:
                if mark.inner is not None:
                    mark.inner.drop_prose()
            self.marks = tuple([m for m in self.marks if m.findings or m.inner is not None])
