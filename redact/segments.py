"""One segment of text and what is personal in it, worked out from the text alone.

A segment is a message, an answer, the result of a tool. If it is JSON its leaves are looked at one
by one; the analysis of a text is always the same, so it can be remembered. What a record adds to
it (the names learnt elsewhere) is laid on top when the segment is rendered.
"""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from redact.findings import Detector, Finding
from redact.key_rules import HARMLESS, KeyBook
from redact.key_values import fits
from redact.kinds import NUMBER_LIKE
from redact.learn import NOTHING, Learnt, learnt_from, learnt_from_prose
from redact.structure import Leaf, is_json, leaves
from schemas.reasons import Reason

SURE = 1.0
_MAX_DEPTH = 6
_GAP = "\n\n"
_LONGEST_NUMBER = 24
_MOST_WORDS = 4


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A text to redact: ``json`` allows it to be taken apart, ``free`` says people wrote it."""

    text: str
    json: bool
    free: bool


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a segment cannot be redacted. ``error`` is the name of a type of exception."""

    reason: Reason
    error: str


TIMEOUT = Failure(Reason.REDACTION_TIMEOUT, "TextTimeoutError")


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A literal of a JSON text that holds something personal: its place, its value, and what.

    ``inner`` is the analysis of a value that is JSON itself.
    """

    start: int
    end: int
    text: str
    is_number: bool
    findings: tuple[Finding, ...]
    inner: "Analysis | None"


class Analysis(msgspec.Struct, frozen=True, gc=False):
    """What is personal in a segment. For JSON ``marks`` holds the literals, else it is None.

    ``learnt`` is what the segment says about persons, to be looked for in the rest of the record.
    """

    findings: tuple[Finding, ...] = ()
    marks: tuple[Mark, ...] | None = None
    learnt: frozenset[Learnt] = NOTHING


class Analyser:
    """Analyses segments with one detector and the rules on keys of one policy."""

    def __init__(self, detector: Detector, book: KeyBook) -> None:
        self._detector = detector
        self._book = book

    def analyse(self, text: str, *, json: bool = True, depth: int = 0) -> Analysis:
        """Analyse a text; with ``json`` a JSON text is taken apart.

        Raises:
            TextTimeoutError: the time of the text is over.
        """
        if json and depth < _MAX_DEPTH and is_json(text):
            return self._analyse_json(text, depth)
        findings = tuple(self._detector.find(text))
        return Analysis(findings, None, learnt_from_prose(text, findings))

    def _analyse_json(self, text: str, depth: int) -> Analysis:
        found = leaves(text, self._book)
        inner: dict[int, Analysis] = {}
        findings: dict[int, list[Finding]] = {}
        free: list[int] = []
        for index, leaf in enumerate(found):
            kind = _kind(leaf)
            if kind:
                findings[index] = [Finding(kind, 0, len(leaf.text), SURE)]
            elif leaf.kind == "string" and leaf.text[:1] in _OPENING and is_json(leaf.text):
                inner[index] = self.analyse(leaf.text, depth=depth + 1)
            elif leaf.text and not (leaf.kind == "number" and leaf.rule == HARMLESS):
                free.append(index)
        learnt = learnt_from(
            [_of_type(found[index], some[0].type) for index, some in findings.items()]
        )
        self._find_free(found, free, findings)
        for analysis in inner.values():
            learnt |= analysis.learnt
        return Analysis(
            marks=tuple(
                _mark(found[i], findings.get(i, ()), inner.get(i))
                for i in sorted(findings.keys() | inner.keys())
            ),
            learnt=learnt,
        )

    def _find_free(
        self, found: Sequence[Leaf], free: Sequence[int], findings: dict[int, list[Finding]]
    ) -> None:
        """Look through the leaves that no rule decides, in one go: a line each, after its key."""
        document, starts = _document([found[index] for index in free])
        for finding in self._detector.find(document):
            at = bisect_right(starts, finding.start)
            for position in range(max(at - 1, 0), len(free)):
                index, begin = free[position], starts[position]
                leaf = found[index]
                start, end = max(finding.start - begin, 0), finding.end - begin
                if end <= 0:
                    break
                if start >= len(leaf.text):
                    continue
                if (
                    leaf.rule == HARMLESS
                    and _is_bare(finding, leaf.text[start:end])
                    and _is_short(leaf.text)
                ):
                    continue
                cut = Finding(finding.type, start, min(end, len(leaf.text)), finding.score)
                findings.setdefault(index, []).append(cut)


_OPENING = ("{", "[", '"')


def _mark(leaf: Leaf, findings: Sequence[Finding], inner: Analysis | None) -> Mark:
    is_number = leaf.kind == "number"
    return Mark(leaf.start, leaf.end, leaf.text, is_number, tuple(findings), inner)


def _document(free: Sequence[Leaf]) -> tuple[str, list[int]]:
    """Return the leaves as lines ``key: value``, and where each value begins."""
    pieces: list[str] = []
    starts: list[int] = []
    length = 0
    for leaf in free:
        label = "" if leaf.rule == HARMLESS else leaf.label
        starts.append(length + len(label))
        pieces += (label, leaf.text, _GAP)
        length += len(label) + len(leaf.text) + len(_GAP)
    return "".join(pieces), starts


def _is_bare(finding: Finding, value: str) -> bool:
    """Tell whether a number stands bare, not written as one dials it."""
    return finding.type in NUMBER_LIKE and not any(mark in value for mark in "+( ")


def _is_short(text: str) -> bool:
    """Report whether a value is a number or a code, no text in which other things may stand."""
    return len(text) <= _LONGEST_NUMBER or text.count(" ") < _MOST_WORDS


def _kind(leaf: Leaf) -> str | None:
    """Return the type of a leaf whose key says it and whose value can be it."""
    if not leaf.rule or leaf.kind == "key":
        return None
    return fits(leaf.rule, leaf.text, certain=leaf.certain, is_number=leaf.kind == "number")


def _of_type(leaf: Leaf, kind: str) -> Leaf:
    return leaf if leaf.rule == kind else msgspec.structs.replace(leaf, rule=kind)
