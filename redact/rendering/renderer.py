"""Renders redacted segments, which stay valid in their original format.

Findings are merged into disjoint stretches, and the text is assembled once from the pieces between
them. JSON leaves are written as literals at their original positions.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

from redact.analysis.json_leaves import (
    character_origins,
    find_literals,
    json_literal,
    literal_value,
    splice,
)
from redact.analysis.segment_parts import MarkedLiteral, SegmentAnalysis
from redact.crypto.pseudonyms import Operator, Pseudonyms
from redact.identities.identity_search import (
    IdentityFinder,
    RecordIdentities,
    SearchableText,
    ShortIdFinder,
    find_identities,
)
from redact.lexical.findings import PiiFinding
from redact.lexical.overlaps import merge_overlaps
from redact.policies.policy import RedactionRule
from redact.rendering.rendered import RenderedReplacement, RenderedSegment, shift_replacement

KEEP_OPERATOR = "keep"
_BREAK = "\0"


class SegmentRenderer:
    """Replaces the findings of segments by the rules of a policy."""

    def __init__(
        self,
        rules: Mapping[str, RedactionRule],
        operators: Mapping[str, Operator],
        pseudonyms: Pseudonyms,
        *,
        scope: str,
        allowed: Callable[[str], bool] | None,
    ) -> None:
        self.rules = rules
        self._operators = operators
        self._pseudonyms = pseudonyms
        self._scope = scope
        self._allowed = allowed

    def render(
        self,
        text: str,
        analysis: SegmentAnalysis,
        names: Sequence[IdentityFinder],
        named: Sequence[PiiFinding],
    ) -> RenderedSegment:
        """Return the segment with everything replaced that the policy replaces.

        ``named`` are the findings of ``names`` in ``text``.
        """
        if analysis.marks is None:
            return self._render_prose(text, analysis.findings, named, analysis.quotes)
        ascii_only = text.isascii()
        parts: list[tuple[int, int, str]] = []
        replaced: list[RenderedReplacement] = []
        grown = 0
        by_place = sorted(named, key=_by_start)
        starts = [finding.start for finding in by_place]
        plain = is_plain(text, names)
        for mark in _marks(text, analysis.marks, names, named):
            if plain:
                inside = _shifted_into(mark, by_place, starts)
                within = names if inside and mark.inner is not None else ()
            else:
                within = names_within(text, mark, names, by_place, starts)
                inside = find_identities(mark.text, within)
            new = self._render_mark(mark, within, inside)
            if new.text == mark.text:
                continue
            written = json_literal(new.text, ascii_only=ascii_only)
            at = mark.start + grown + 1
            replaced += [shift_replacement(replacement, at) for replacement in new.replaced]
            parts.append((mark.start, mark.end, written))
            grown += len(written) - (mark.end - mark.start)
        return RenderedSegment(splice(text, parts), tuple(replaced))

    def _render_mark(
        self, mark: MarkedLiteral, names: Sequence[IdentityFinder], named: Sequence[PiiFinding]
    ) -> RenderedSegment:
        """Return a literal's value, redacted; ``named`` are the findings of ``names`` in it."""
        if mark.inner is not None:
            return self.render(mark.text, mark.inner, names, named)
        return self._render_prose(mark.text, mark.findings, named, mark.quotes)

    def _render_prose(
        self,
        text: str,
        findings: Sequence[PiiFinding],
        named: Sequence[PiiFinding],
        quotes: Mapping[int, str],
    ) -> RenderedSegment:
        selected = self.select(text, merge_named(self.usable(text, findings), named))
        if not selected:
            return RenderedSegment(text, ())
        pieces: list[str] = []
        replaced: list[RenderedReplacement] = []
        copied = length = 0
        for finding in merge_overlaps(selected, text):
            operator = self.rules[finding.type].operator
            value = finding.value or text[finding.start : finding.end]
            new = self._operators[operator](finding.type, value, self._scope)
            quote = quotes.get(finding.start, "") if new else ""
            before = text[copied : finding.start] + quote
            length += len(before)
            replaced.append(RenderedReplacement(finding.type, operator, length, length + len(new)))
            pieces += (before, new, quote)
            length += len(new) + len(quote)
            copied = finding.end
        pieces.append(text[copied:])
        return RenderedSegment("".join(pieces), tuple(replaced))

    def usable(self, text: str, findings: Sequence[PiiFinding]) -> Sequence[PiiFinding]:
        """Return the findings of the analysis of a text that may be replaced: here, all."""
        del text
        return findings

    def reported(
        self, text: str, analysis: SegmentAnalysis, names: Sequence[IdentityFinder]
    ) -> list[PiiFinding]:
        """Return all findings that count by the policy, kept or not, by position in ``text``.

        Replaced findings are merged; of kept ones only those outside of replaced ones are returned.
        """
        named = find_identities(text, names)
        if analysis.marks is None:
            return self._report(text, [*analysis.findings, *named])
        findings: list[PiiFinding] = []
        for mark in _marks(text, analysis.marks, names, named):
            if mark.inner is not None:
                inside = self.reported(mark.text, mark.inner, names)
            else:
                inside = self._report(
                    mark.text, [*mark.findings, *find_identities(mark.text, names)]
                )
            if inside:
                quotes = not mark.is_number
                origins = character_origins(text[mark.start + quotes : mark.end - quotes])
                at = mark.start + quotes
                findings += (f.at(at + origins[f.start], at + origins[f.end]) for f in inside)
        return findings

    def kept_types(
        self, text: str, analysis: SegmentAnalysis, names: Sequence[IdentityFinder]
    ) -> list[str]:
        """Return the type of each finding in a segment that the policy keeps."""
        findings = self.reported(text, analysis, names)
        return [f.type for f in findings if self.rules[f.type].operator == KEEP_OPERATOR]

    def _report(self, text: str, findings: Sequence[PiiFinding]) -> list[PiiFinding]:
        replaced = merge_overlaps(self.select(text, findings), text)
        kept_findings = [
            f
            for f in findings
            if (rule := self.rules.get(f.type)) is not None
            and rule.operator == KEEP_OPERATOR
            and f.score >= rule.score
            and not any(r.start < f.end and f.start < r.end for r in replaced)
        ]
        return sorted(
            [*replaced, *merge_overlaps(kept_findings, text)], key=lambda f: (f.start, f.end)
        )

    def select(self, text: str, findings: Sequence[PiiFinding]) -> list[PiiFinding]:
        """Return the findings to replace: with a sufficient score, not allowed, not our own."""
        rules = self.rules
        selected = [
            f
            for f in findings
            if (rule := rules.get(f.type)) is not None
            and f.score >= rule.score
            and rule.operator != KEEP_OPERATOR
        ]
        if selected and self._allowed is not None:
            allowed = self._allowed
            selected = [f for f in selected if not allowed(text[f.start : f.end])]
        if selected and "<" in text and (own := self._pseudonyms.own_placeholders(text)):
            selected = _cut_own(selected, own)
        return selected


class SecondPassRenderer(SegmentRenderer):
    """Renders texts that were redacted before: no finding that touches a stand-in counts.

    The first pass judged the text around a stand-in with the value in its place.
    """

    def usable(self, text: str, findings: Sequence[PiiFinding]) -> Sequence[PiiFinding]:
        """Return the findings that neither overlap nor touch a stand-in."""
        own = self._pseudonyms.own_placeholders(text) if findings else []
        if not own:
            return findings
        return [
            finding
            for finding in findings
            if not any(finding.start <= end and begin <= finding.end for begin, end in own)
        ]


def merge_named(findings: Sequence[PiiFinding], named: Sequence[PiiFinding]) -> list[PiiFinding]:
    """Return both, so that all forms of one person's name get the same value.

    ``named`` are the occurrences of the record's identities. An occurrence that may mean two
    persons is attributed to neither: its value is the name itself.
    """
    if not named:
        return list(findings)
    value_by_span: dict[tuple[int, int], str] = {}
    for finding in named:
        if finding.type == "PERSON":
            span = finding.start, finding.end
            is_unique = value_by_span.get(span, finding.value) == finding.value
            value_by_span[span] = finding.value if is_unique else ""
    return [
        PiiFinding(f.type, f.start, f.end, f.score, value_by_span[f.start, f.end])
        if f.type == "PERSON" and (f.start, f.end) in value_by_span
        else f
        for f in (*findings, *named)
    ]


def find_names_in_segment(
    text: str, analysis: SegmentAnalysis, names: RecordIdentities
) -> dict[int, tuple[PiiFinding, ...]]:
    """Return, by serial, the occurrences of names in a segment, or behind its escapes.

    The spans of a name that occurs only behind the escapes of a JSON text are not valid in it.
    """
    by_serial = names.occurrences(SearchableText(text))
    if analysis.marks is not None and "\\" in text:
        values = [
            literal_value(text[at:end]) for at, end in find_literals(text) if "\\" in text[at:end]
        ]
        by_serial = names.occurrences(SearchableText(_BREAK.join(values))) | by_serial
    return by_serial


def _marks(
    text: str,
    marks: Sequence[MarkedLiteral],
    names: Sequence[IdentityFinder],
    named: Sequence[PiiFinding],
) -> Sequence[MarkedLiteral]:
    """Return the marks of a JSON text, and of each literal that may contain an identity."""
    if not names:
        return marks
    starts = sorted([finding.start for finding in named])
    by_start = {mark.start: mark for mark in marks}
    if "\\" not in text and _all_within(starts, marks):
        return marks
    for start, end in find_literals(text):
        if start in by_start:
            continue
        at = bisect_left(starts, start)
        raw = text[start:end]
        if (at < len(starts) and starts[at] < end) or "\\" in raw:
            by_start[start] = MarkedLiteral(start, end, literal_value(raw), raw[0] != '"', (), None)
    return [by_start[start] for start in sorted(by_start)]


def _by_start(finding: PiiFinding) -> int:
    return finding.start


def names_within(
    text: str,
    mark: MarkedLiteral,
    names: Sequence[IdentityFinder],
    named: Sequence[PiiFinding],
    starts: Sequence[int],
) -> Sequence[IdentityFinder]:
    """Return the identities that a literal may contain, by the findings in the text around it.

    ``named`` are these findings, and ``starts`` their positions, in order. A plain literal has no
    other identities in it than those found there. Behind escapes the positions differ.
    """
    if text.find("\\", mark.start, mark.end) >= 0:
        return names
    first = bisect_left(starts, mark.start)
    last = bisect_left(starts, mark.end, first)
    if first == last:
        return ()
    if not mark.text.isascii() or any(sign in mark.text for sign in "+%&"):
        return names
    found = {(finding.type, finding.value) for finding in named[first:last]}
    return [name for name in names if (name.learnt.type, name.learnt.value) in found]


def is_plain(text: str, names: Sequence[IdentityFinder]) -> bool:
    """Return whether an identity occurs in a literal of a JSON text just where it does in the text.

    This is not so behind escapes and other disguises, and for ids that count as a whole text.
    """
    if not text.isascii() or "\\" in text or "%" in text or "&" in text or "+" in text:
        return False
    return not any(isinstance(name, ShortIdFinder) for name in names)


def _shifted_into(
    mark: MarkedLiteral, named: Sequence[PiiFinding], starts: Sequence[int]
) -> list[PiiFinding]:
    """Return the findings of identities in a literal; ``named`` and ``starts`` are sorted."""
    first = bisect_left(starts, mark.start)
    last = bisect_left(starts, mark.end, first)
    if first == last:
        return []
    at = mark.start + (not mark.is_number)
    return [finding.at(finding.start - at, finding.end - at) for finding in named[first:last]]


def _all_within(starts: Sequence[int], marks: Sequence[MarkedLiteral]) -> bool:
    """Return whether each position is inside a mark; positions and marks are sorted."""
    following = iter(marks)
    end = 0
    for start in starts:
        while start >= end:
            mark = next(following, None)
            if mark is None or start < mark.start:
                return False
            end = mark.end
    return True


def _cut_own(findings: Sequence[PiiFinding], own: Sequence[tuple[int, int]]) -> list[PiiFinding]:
    """Cut findings back to the parts outside of our own placeholders."""
    pieces: list[PiiFinding] = []
    for finding in findings:
        start = finding.start
        for begin, end in own:
            if end <= start or begin >= finding.end:
                continue
            if begin > start:
                pieces.append(finding.at(start, begin))
            start = end
        if start < finding.end:
            pieces.append(finding.at(start, finding.end))
    return pieces
