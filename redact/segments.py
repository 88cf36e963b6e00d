"""One segment of text and what is personal in it, worked out from the text alone.

A segment is a message, an answer, the result of a tool. If it is JSON its leaves are looked at one
by one; in any other text the keys and values that stand in it are read. The analysis of a text is
always the same, so it can be remembered. What a record adds to it (the names learnt elsewhere) is
laid on top when the segment is rendered.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from redact.code_values import repeats_key
from redact.dialled import is_north_american
from redact.embedded import FILE, blanked, embedded_files, is_file
from redact.findings import Detector, Finding
from redact.key_reading import HARMLESS
from redact.key_rules import KeyBook
from redact.key_values import fits
from redact.keyed import (
    SURE,
    Harmless,
    Keyed,
    is_of_date,
    is_of_version,
    is_short,
    keyed_values,
    reading,
)
from redact.kinds import NUMBER_LIKE
from redact.labels import SAID
from redact.learn import NOTHING, KeyedValue, Learnt, learnt_from, learnt_from_prose
from redact.prose import is_prose
from redact.spellings import BIRTH_DATE
from redact.structure import Leaf, is_json, leaves
from schemas.reasons import Reason

NO_QUOTES: Final[Mapping[int, str]] = MappingProxyType({})
_MAX_DEPTH = 6
_GAP = "\n" * 6
"""Parts the leaves of a JSON text: more lines than stand between an announcement and its value."""


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A text to redact: ``json`` allows it to be taken apart, ``free`` lets the model read it."""

    text: str
    json: bool
    free: bool


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a segment cannot be redacted. ``error`` is the name of a type of exception."""

    reason: Reason
    error: str


class Mark(msgspec.Struct, gc=False):
    """A literal of a JSON text that holds something personal: its place, its value, and what.

    ``inner`` is the analysis of a value that is JSON itself. ``findings`` grow when the model for
    names has read the value. ``quotes`` as in :class:`Analysis`.
    """

    start: int
    end: int
    text: str
    is_number: bool
    findings: tuple[Finding, ...]
    inner: "Analysis | None"
    quotes: Mapping[int, str] = NO_QUOTES


class Analysis(msgspec.Struct, gc=False):
    """What is personal in a segment. For JSON ``marks`` holds the literals, else it is None.

    ``learnt`` is what the segment says about persons, to be looked for in the rest of the record.
    ``quotes`` are what a stand-in needs around it, by the start of the finding: a number of JSON
    becomes a string.
    ``prose`` are the literals that the model for names may read, until it has.
    """

    findings: tuple[Finding, ...] = ()
    marks: tuple[Mark, ...] | None = None
    learnt: frozenset[Learnt] = NOTHING
    quotes: Mapping[int, str] = NO_QUOTES
    prose: tuple[Mark, ...] = ()

    def settle(self) -> None:
        """Forget the literals that were only there to be read by the model."""
        self.prose = ()
        if self.marks is not None:
            for mark in self.marks:
                if mark.inner is not None:
                    mark.inner.settle()
            self.marks = tuple([m for m in self.marks if m.findings or m.inner is not None])


class Analyser:
    """Analyses segments with one detector and the rules on keys of one policy.

    With ``files`` the bytes of files within texts are findings too, else they are left alone.
    """

    def __init__(self, detector: Detector, book: KeyBook, *, files: bool = True) -> None:
        self._detector = detector
        self._book = book
        self._files = files

    def analyse(self, text: str, *, json: bool = True, depth: int = 0) -> Analysis:
        """Analyse a text; with ``json`` a JSON text is taken apart.

        Raises:
            TextTimeoutError: the time of the attempt is over.
        """
        if json and depth < _MAX_DEPTH and is_json(text):
            return self._analyse_json(text, depth)
        files = embedded_files(text) if self._files else []
        readable = blanked(text, files)
        keyed, harmless = keyed_values(readable, self._book)
        found = [f for f in self._detector.find(readable) if not _is_harmless(f, text, harmless)]
        findings = (*found, *files, *[each.finding for each in keyed])
        learnt = learnt_from_prose(text, found) | learnt_from([each.value for each in keyed])
        return Analysis(findings, None, learnt, _quotes(keyed))

    def _analyse_json(self, text: str, depth: int) -> Analysis:
        found = leaves(text, self._book)
        inner: dict[int, Analysis] = {}
        findings: dict[int, list[Finding]] = {}
        quotes: dict[int, Mapping[int, str]] = {}
        said: list[KeyedValue] = []
        free: list[int] = []
        for index, leaf in enumerate(found):
            value = _keyed_value(leaf)
            if value is not None:
                findings[index] = [Finding(value.type, 0, len(leaf.text), SURE, value.value)]
                said.append(value)
            elif leaf.kind == "string" and self._files and is_file(leaf.text):
                findings[index] = [Finding(FILE, 0, len(leaf.text), SURE)]
            elif leaf.kind == "string" and leaf.text[:1] in _OPENING and is_json(leaf.text):
                inner[index] = self.analyse(leaf.text, depth=depth + 1)
            elif leaf.text and not (leaf.kind == "number" and leaf.rule == HARMLESS):
                free.append(index)
        learnt = learnt_from(said)
        for analysis in inner.values():
            learnt |= analysis.learnt
        learnt |= self._find_free(found, free, findings, quotes)
        prose = {i for i in free if found[i].kind == "string" and _is_prose(found[i])}
        marks = {
            i: _mark(found[i], findings.get(i, ()), inner.get(i), quotes.get(i, NO_QUOTES))
            for i in sorted(findings.keys() | inner.keys() | prose)
        }
        within = [mark for analysis in inner.values() for mark in analysis.prose]
        return Analysis(
            marks=tuple(marks.values()),
            learnt=learnt,
            prose=(*[marks[i] for i in sorted(prose)], *within),
        )

    def _find_free(
        self,
        found: Sequence[Leaf],
        free: Sequence[int],
        findings: dict[int, list[Finding]],
        quotes: dict[int, Mapping[int, str]],
    ) -> frozenset[Learnt]:
        """Look through the leaves that no rule decides, in one go: a line each, after its key.

        Adds to ``findings`` and ``quotes`` by the index of the leaf; returns what is learnt.
        """
        learnt = NOTHING
        texts: list[str] = []
        vetoed: dict[int, Sequence[Harmless]] = {}
        for index in free:
            text = found[index].text
            if len(text) >= _SHORTEST_STRUCTURE and found[index].kind == "string":
                files = embedded_files(text) if self._files else []
                text = blanked(text, files)
                keyed, vetoed[index] = keyed_values(text, self._book)
                if files or keyed:
                    findings[index] = [*files, *[each.finding for each in keyed]]
                    quotes[index] = _quotes(keyed)
                    learnt |= learnt_from([each.value for each in keyed])
            texts.append(text)
        for index, finding in self._placed([found[i] for i in free], texts, free):
            leaf = found[index]
            spans = vetoed.get(index, [])
            if leaf.rule == HARMLESS and is_short(leaf.text):
                spans = [*spans, Harmless(0, len(leaf.text), is_of_version(leaf.key))]
            if finding.type == BIRTH_DATE and is_of_date(leaf.key):
                spans = [*spans, Harmless(0, len(leaf.text), is_version=False, is_date=True)]
            if _is_harmless(finding, leaf.text, spans):
                continue
            findings.setdefault(index, []).append(finding)
            learnt |= learnt_from_prose(leaf.text, [finding])
        return learnt

    def _placed(
        self, free: Sequence[Leaf], texts: Sequence[str], indices: Sequence[int]
    ) -> Iterator[tuple[int, Finding]]:
        """Yield what the detector finds in some leaves: the leaf's index, and the place in it."""
        document, starts = _document(free, texts)
        for finding in self._detector.find(document):
            at = bisect_right(starts, finding.start)
            for position in range(max(at - 1, 0), len(free)):
                begin, length = starts[position], len(free[position].text)
                start, end = max(finding.start - begin, 0), finding.end - begin
                if end <= 0:
                    break
                if start < length:
                    cut = min(end, length)
                    value = finding.value if cut - start == finding.end - finding.start else ""
                    yield indices[position], Finding(finding.type, start, cut, finding.score, value)


_OPENING = ("{", "[", '"')
_SHORTEST_STRUCTURE: Final = 6
"""Characters of a string that may hold a key and a value."""


def _keyed_value(leaf: Leaf) -> KeyedValue | None:
    """Return the value of a leaf as what its key says it is, None if it is no such thing."""
    if not leaf.rule or leaf.kind == "key":
        return None
    value = reading(leaf.text)
    if repeats_key(leaf.key, value):
        return None
    kind = fits(leaf.rule, value, certain=leaf.certain, is_number=leaf.kind == "number")
    return None if kind is None else KeyedValue(kind, value, leaf.part, leaf.owner)


def _is_prose(leaf: Leaf) -> bool:
    return leaf.rule is None and is_prose(leaf.text, leaf.key)


def _quotes(keyed: Sequence[Keyed]) -> Mapping[int, str]:
    return {each.finding.start: each.quote for each in keyed if each.quote} if keyed else NO_QUOTES


def _mark(
    leaf: Leaf, findings: Sequence[Finding], inner: Analysis | None, quotes: Mapping[int, str]
) -> Mark:
    is_number = leaf.kind == "number"
    return Mark(leaf.start, leaf.end, leaf.text, is_number, tuple(findings), inner, quotes)


def _document(free: Sequence[Leaf], texts: Sequence[str]) -> tuple[str, list[int]]:
    """Return the leaves as lines ``key: value``, and where each value begins.

    ``texts`` are the values of the leaves, as long as these, as the detector is to see them.
    """
    pieces: list[str] = []
    starts: list[int] = []
    length = 0
    for leaf, text in zip(free, texts, strict=True):
        label = "" if leaf.rule == HARMLESS else leaf.label
        starts.append(length + len(label))
        pieces += (label, text, _GAP)
        length += len(label) + len(text) + len(_GAP)
    return "".join(pieces), starts


def _is_harmless(finding: Finding, text: str, harmless: Sequence[Harmless]) -> bool:
    """Return whether a finding is the bare number of a thing, as the key before it says.

    Its own name before it in the value says otherwise: `"order_id": "SSN 521438871"`.
    """
    is_date = finding.type == BIRTH_DATE
    around = [
        one
        for one in harmless
        if one.start <= finding.start and finding.end <= one.end and one.is_date == is_date
    ]
    if not around:
        return False
    if is_date:
        return not any(map(str.isalpha, text[around[0].start : finding.start]))
    if finding.type == "IP_ADDRESS":
        return any([one.is_version for one in around])  # noqa: C419  # faster so
    return _is_bare(finding, finding.value or text[finding.start : finding.end]) and any(
        not (_is_said(finding) and any(map(str.isalpha, text[one.start : finding.start])))
        for one in around
    )


def _is_said(finding: Finding) -> bool:
    """Return whether a number's own name may stand before it; a card's is that of a thing too."""
    return finding.score >= SAID and finding.type != "CREDIT_CARD"


def _is_bare(finding: Finding, value: str) -> bool:
    """Return whether a number stands bare, not written as one dials it."""
    if finding.type not in NUMBER_LIKE or finding.type == "CRYPTO":  # a wallet's form is its own
        return False
    if finding.type == "PHONE_NUMBER" and is_north_american(value):
        return False
    return not any(mark in value for mark in "+( ")
