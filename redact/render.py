"""A segment with its personal data replaced, valid in the same form as it came.

Findings are merged into disjoint stretches and the text is put together once, from the pieces
between them; the leaves of JSON are written again as literals where they stood.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

import msgspec

from redact.findings import Finding, disjoint
from redact.names import NameFinder
from redact.policy import Rule
from redact.pseudonyms import Operator, Pseudonyms
from redact.segments import SURE, Analysis, LeafFindings
from redact.structure import literal, origins, spliced

KEEP = "keep"


class Replaced(msgspec.Struct, frozen=True, gc=False):
    """One replacement: its type, operator and place in the output (counted in characters)."""

    type: str
    operator: str
    start: int
    end: int


def moved(replaced: Replaced, by: int) -> Replaced:
    """Return the same replacement some characters further on."""
    return Replaced(replaced.type, replaced.operator, replaced.start + by, replaced.end + by)


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """A redacted segment and what was replaced in it."""

    text: str
    replaced: tuple[Replaced, ...]


class Renderer:
    """Replaces the findings of segments by the rules of a policy."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        operators: Mapping[str, Operator],
        pseudonyms: Pseudonyms,
        *,
        scope: str,
        allowed: Callable[[str], bool],
    ) -> None:
        self.rules = rules
        self._operators = operators
        self._pseudonyms = pseudonyms
        self._scope = scope
        self._allowed = allowed

    def render(self, text: str, analysis: Analysis, names: NameFinder | None) -> Rendered:
        """Return the segment with all that the policy names replaced."""
        if analysis.leaves is None:
            return self._prose(text, analysis.findings, names)
        named = _Named(text, names)
        ascii_only = text.isascii()
        parts: list[tuple[int, int, str]] = []
        replaced: list[Replaced] = []
        grown = 0
        for found in analysis.leaves:
            leaf = found.leaf
            touched = named.within(leaf.start, leaf.end)
            if not (found.findings or found.inner or touched):
                continue
            new = self._leaf(found, touched)
            if new.text == leaf.text:
                continue
            written = literal(new.text, ascii_only=ascii_only)
            at = leaf.start + grown + 1
            replaced += (moved(r, at) for r in new.replaced)
            parts.append((leaf.start, leaf.end, written))
            grown += len(written) - (leaf.end - leaf.start)
        return Rendered(spliced(text, parts), tuple(replaced))

    def _leaf(self, found: LeafFindings, names: NameFinder | None) -> Rendered:
        text, findings = found.leaf.text, found.findings
        if found.inner is not None:
            return self.render(text, found.inner, names)
        whole = findings and findings[0].score == SURE and findings[0].end == len(text)
        return self._prose(text, findings[:1] if whole else findings, None if whole else names)

    def _prose(self, text: str, findings: Sequence[Finding], names: NameFinder | None) -> Rendered:
        chosen = self.chosen(text, findings)
        if names is not None:
            chosen += self.chosen(text, names.find(text))
        if not chosen:
            return Rendered(text, ())
        pieces: list[str] = []
        replaced: list[Replaced] = []
        done = length = 0
        for finding in disjoint(chosen):
            operator = self.rules[finding.type].operator
            value = text[finding.start : finding.end]
            new = self._operators[operator](finding.type, value, self._scope)
            kept = text[done : finding.start]
            length += len(kept)
            replaced.append(Replaced(finding.type, operator, length, length + len(new)))
            pieces += (kept, new)
            length += len(new)
            done = finding.end
        pieces.append(text[done:])
        return Rendered("".join(pieces), tuple(replaced))

    def reported(self, text: str, analysis: Analysis, names: NameFinder | None) -> list[Finding]:
        """Return all that was found and counts by the policy, kept or not, by place in ``text``.

        What is replaced is merged; of what is kept only the stretches outside of it are given.
        """
        if analysis.leaves is None:
            return self._reported(text, [*analysis.findings, *(names.find(text) if names else ())])
        found: list[Finding] = []
        for one in analysis.leaves:
            leaf, findings, inner = one.leaf, one.findings, one.inner
            if inner is not None:
                inside = self.reported(leaf.text, inner, names)
            else:
                more = () if names is None else names.find(leaf.text)
                inside = self._reported(leaf.text, [*findings, *more])
            if inside:
                raw = (
                    text[leaf.start : leaf.end]
                    if leaf.is_number
                    else text[leaf.start + 1 : leaf.end - 1]
                )
                at = leaf.start + (not leaf.is_number)
                places = origins(raw)
                found += (f.at(at + places[f.start], at + places[f.end]) for f in inside)
        return found

    def _reported(self, text: str, findings: Sequence[Finding]) -> list[Finding]:
        replaced = disjoint(self.chosen(text, findings))
        kept = [
            f
            for f in findings
            if (rule := self.rules.get(f.type)) is not None
            and rule.operator == KEEP
            and f.score >= rule.score
            and not any(r.start < f.end and f.start < r.end for r in replaced)
        ]
        return sorted([*replaced, *disjoint(kept)], key=lambda f: (f.start, f.end))

    def chosen(self, text: str, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings that the policy replaces: strong enough, not allowed, not ours."""
        rules = self.rules
        chosen = [
            f
            for f in findings
            if (rule := rules.get(f.type)) is not None
            and f.score >= rule.score
            and rule.operator != KEEP
            and not self._allowed(text[f.start : f.end])
        ]
        if chosen and "<" in text and (own := self._pseudonyms.own_placeholders(text)):
            chosen = _outside(chosen, own)
        return chosen


class _Named:
    """Where in a JSON text learnt values stand, so that the other leaves need not be asked."""

    def __init__(self, text: str, names: NameFinder | None) -> None:
        self._text = text
        self._names = names
        self._escaped = names is not None and "\\" in text
        self._starts = sorted(f.start for f in names.find(text)) if names else []

    def within(self, start: int, end: int) -> NameFinder | None:
        """Return the finder if it finds something in a stretch, or might behind an escape."""
        at = bisect_left(self._starts, start)
        if at < len(self._starts) and self._starts[at] < end:
            return self._names
        return self._names if self._escaped and "\\" in self._text[start:end] else None


def _outside(findings: Sequence[Finding], own: Sequence[tuple[int, int]]) -> list[Finding]:
    """Cut findings back to what lies outside one's own placeholders."""
    pieces: list[Finding] = []
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
