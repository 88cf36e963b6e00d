"""Analyses a segment: finds its personal data, from the text alone.

A segment is a message, an answer, the result of a tool. If it is JSON, its leaves are analysed one
by one; in any other text the keys and values are read. The analysis of a text is always the same,
so it can be cached. Names that the record states elsewhere are added when the segment is rendered.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from redact.analysis.json_leaf import JsonLeaf
from redact.analysis.json_leaves import is_json_document, read_leaves
from redact.analysis.keyed_values import (
    SURE_SCORE,
    HarmlessSpan,
    KeyedFinding,
    find_keyed_values,
    is_short_value,
    names_date,
    names_version,
    read_undisguised,
)
from redact.analysis.segment_parts import NO_QUOTES, MarkedLiteral, SegmentAnalysis
from redact.field_keys.code_values import repeats_key
from redact.field_keys.key_book import KeyBook
from redact.field_keys.key_meaning import HARMLESS
from redact.field_keys.value_types import type_of_value
from redact.identities.extraction import KeyedValue, extract_identities, identities_from_prose
from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.identities.name_variants import BIRTH_DATE
from redact.lexical.embedded_files import (
    FILE_TYPE,
    blank_findings,
    find_embedded_files,
    is_encoded_file,
)
from redact.lexical.findings import Detector, PiiFinding
from redact.lexical.given_names import is_full_name
from redact.lexical.prose import is_prose
from redact.policies.data_types import NUMBER_LIKE
from redact.recognition.contacts.dialled_numbers import is_north_american
from redact.recognition.matching.labelled_numbers import LABELLED_SCORE

_MAX_DEPTH = 6
_GAP = "\n" * 6
"""Separates JSON leaves: more line breaks than between an announcement and its value."""


class SegmentAnalyser:
    """Analyses segments with one detector and the rules on keys of one policy.

    With ``files`` the bytes of embedded files are findings too, else they are ignored.
    """

    def __init__(self, detector: Detector, book: KeyBook, *, files: bool = True) -> None:
        self._detector = detector
        self._book = book
        self._files = files

    def analyse(self, text: str, *, depth: int = 0) -> SegmentAnalysis:
        """Analyse a text; a JSON text leaf by leaf. ``depth`` is its nesting in JSON texts.

        Raises:
            TextTimeoutError: the attempt exceeded its deadline.
        """
        if depth < _MAX_DEPTH and is_json_document(text):
            return self._analyse_json(text, depth)
        files = find_embedded_files(text) if self._files else []
        readable = blank_findings(text, files)
        keyed, harmless = find_keyed_values(readable, self._book)
        detected = [f for f in self._detector.find(readable) if not _is_harmless(f, text, harmless)]
        findings = (*detected, *files, *[each.finding for each in keyed])
        learnt = identities_from_prose(text, detected) | extract_identities(
            [each.value for each in keyed]
        )
        return SegmentAnalysis(findings, None, learnt, _quotes(keyed))

    def _analyse_json(self, text: str, depth: int) -> SegmentAnalysis:
        leaves = read_leaves(text, self._book)
        inner: dict[int, SegmentAnalysis] = {}
        findings: dict[int, list[PiiFinding]] = {}
        quotes: dict[int, Mapping[int, str]] = {}
        keyed: list[KeyedValue] = []
        free: list[int] = []
        for index, leaf in enumerate(leaves):
            value = read_keyed_leaf(leaf)
            if value is not None:
                findings[index] = [
                    PiiFinding(value.type, 0, len(leaf.text), SURE_SCORE, value.value)
                ]
                keyed.append(value)
            elif leaf.kind == "string" and self._files and is_encoded_file(leaf.text):
                findings[index] = [PiiFinding(FILE_TYPE, 0, len(leaf.text), SURE_SCORE)]
            elif (
                leaf.kind == "string" and leaf.text[:1] in _OPENING and is_json_document(leaf.text)
            ):
                inner[index] = self.analyse(leaf.text, depth=depth + 1)
            elif leaf.kind == "key" and is_full_name(leaf.text):
                findings[index] = [PiiFinding("PERSON", 0, len(leaf.text), SURE_SCORE)]
                keyed.append(KeyedValue("PERSON", leaf.text, "", leaf.owner))
            elif leaf.text and not (leaf.kind == "number" and leaf.rule == HARMLESS):
                free.append(index)
        learnt = extract_identities(keyed)
        for analysis in inner.values():
            learnt |= analysis.learnt
        learnt |= self._scan_free_leaves(leaves, free, findings, quotes)
        prose = {i for i in free if leaves[i].kind == "string" and _is_prose(leaves[i])}
        marks = {
            i: _mark(leaves[i], findings.get(i, ()), inner.get(i), quotes.get(i, NO_QUOTES))
            for i in sorted(findings.keys() | inner.keys() | prose)
        }
        within = [mark for analysis in inner.values() for mark in analysis.prose]
        return SegmentAnalysis(
            marks=tuple(marks.values()),
            learnt=learnt,
            prose=(*[marks[i] for i in sorted(prose)], *within),
        )

    def _scan_free_leaves(
        self,
        leaves: Sequence[JsonLeaf],
        free: Sequence[int],
        findings: dict[int, list[PiiFinding]],
        quotes: dict[int, Mapping[int, str]],
    ) -> frozenset[IdentityValue]:
        """Scan the leaves that no rule decides, in one text: one line each, after its key.

        Add to ``findings`` and ``quotes`` by the index of the leaf; return the identities.
        """
        learnt = NO_IDENTITIES
        texts: list[str] = []
        vetoed: dict[int, Sequence[HarmlessSpan]] = {}
        for index in free:
            text = leaves[index].text
            if len(text) >= _SHORTEST_STRUCTURE and leaves[index].kind == "string":
                files = find_embedded_files(text) if self._files else []
                text = blank_findings(text, files)
                keyed, vetoed[index] = find_keyed_values(text, self._book)
                if files or keyed:
                    findings[index] = [*files, *[each.finding for each in keyed]]
                    quotes[index] = _quotes(keyed)
                    learnt |= extract_identities([each.value for each in keyed])
            texts.append(text)
        for index, finding in self._findings_by_leaf([leaves[i] for i in free], texts, free):
            leaf = leaves[index]
            spans = vetoed.get(index, [])
            if leaf.rule == HARMLESS and is_short_value(leaf.text):
                named = names_version(leaf.key)
                spans = [*spans, HarmlessSpan(0, len(leaf.text), is_version=named)]
            if finding.type == BIRTH_DATE and names_date(leaf.key):
                spans = [*spans, HarmlessSpan(0, len(leaf.text), is_version=False, is_date=True)]
            if _is_harmless(finding, leaf.text, spans):
                continue
            findings.setdefault(index, []).append(finding)
            learnt |= identities_from_prose(leaf.text, [finding])
        return learnt

    def _findings_by_leaf(
        self, free: Sequence[JsonLeaf], texts: Sequence[str], indices: Sequence[int]
    ) -> Iterator[tuple[int, PiiFinding]]:
        """Yield the findings of the detector in leaves: the leaf's index, and the finding in it."""
        document, starts = _join_leaves(free, texts)
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
                    yield (
                        indices[position],
                        PiiFinding(finding.type, start, cut, finding.score, value),
                    )


_OPENING = ("{", "[", '"')
_SHORTEST_STRUCTURE: Final = 6
"""Minimum length of a string that may contain a key and a value."""


def read_keyed_leaf(leaf: JsonLeaf) -> KeyedValue | None:
    """Return the value of a leaf with the type that its key names, None if it does not fit."""
    if not leaf.rule or leaf.kind == "key":
        return None
    read = _read_short_value if len(leaf.text) <= _LONGEST_KNOWN else _read_value
    typed = read(leaf.rule, leaf.key, leaf.text, leaf.certain, leaf.kind == "number")
    if typed is None:
        return None
    kind, value = typed
    return KeyedValue(kind, value, leaf.part, leaf.owner)


def _read_value(
    rule: str,
    key: str,
    text: str,
    certain: bool,  # noqa: FBT001  # a cached function
    is_number: bool,  # noqa: FBT001
) -> tuple[str, str] | None:
    """Return the type and the value of a text under a key, None if it does not fit."""
    value = read_undisguised(text)
    if repeats_key(key, value):
        return None
    kind = type_of_value(rule, value, certain=certain, is_number=is_number)
    return None if kind is None else (kind, value)


_LONGEST_KNOWN = 120
_read_short_value = lru_cache(maxsize=4_096)(_read_value)
"""The same values come again in the results of other calls: names, towns, states."""


def _is_prose(leaf: JsonLeaf) -> bool:
    return leaf.rule is None and is_prose(leaf.text, leaf.key)


def _quotes(keyed: Sequence[KeyedFinding]) -> Mapping[int, str]:
    return {each.finding.start: each.quote for each in keyed if each.quote} if keyed else NO_QUOTES


def _mark(
    leaf: JsonLeaf,
    findings: Sequence[PiiFinding],
    inner: SegmentAnalysis | None,
    quotes: Mapping[int, str],
) -> MarkedLiteral:
    is_number = leaf.kind == "number"
    return MarkedLiteral(leaf.start, leaf.end, leaf.text, is_number, tuple(findings), inner, quotes)


def _join_leaves(free: Sequence[JsonLeaf], texts: Sequence[str]) -> tuple[str, list[int]]:
    """Return the leaves as lines ``key: value``, and the start of each value.

    ``texts`` are the values of the leaves for the detector, with the same lengths.
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


def _is_harmless(finding: PiiFinding, text: str, harmless: Sequence[HarmlessSpan]) -> bool:
    """Return whether a finding is the bare number of a thing, by the key before it.

    A name of the number in the value overrides the key: `"order_id": "SSN 521438871"`.
    """
    is_date = finding.type == BIRTH_DATE
    around = [
        span
        for span in harmless
        if span.start <= finding.start and finding.end <= span.end and span.is_date == is_date
    ]
    if not around:
        return False
    if is_date:
        return not any(map(str.isalpha, text[around[0].start : finding.start]))
    if finding.type == "IP_ADDRESS":
        return any(span.is_version for span in around)
    return _is_bare(finding, finding.value or text[finding.start : finding.end]) and any(
        not (_may_be_labelled(finding) and any(map(str.isalpha, text[span.start : finding.start])))
        for span in around
    )


def _may_be_labelled(finding: PiiFinding) -> bool:
    """Return whether a number may follow its own name; the name of a card is one of a thing too."""
    return finding.score >= LABELLED_SCORE and finding.type != "CREDIT_CARD"


def _is_bare(finding: PiiFinding, value: str) -> bool:
    """Return whether a number is bare, not written as people dial it."""
    if finding.type not in NUMBER_LIKE or finding.type == "CRYPTO":  # a wallet's form is unique
        return False
    if finding.type == "PHONE_NUMBER" and is_north_american(value):
        return False
    return not any(mark in value for mark in "+( _")
