"""A segment with its personal data replaced, valid in the same form as it came.

Findings are merged into disjoint stretches and the text is put together once, from the pieces
between them; the leaves of JSON are written again as literals where they stood.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from redact.findings import Finding, disjoint
from redact.names import NameFinder
from redact.policy import Rule
from redact.pseudonyms import Operator, Pseudonyms
from redact.segments import Analysis, LeafFindings
from redact.structure import literal, origins, spliced

KEEP = "keep"


class Replaced(NamedTuple):
    """One replacement: its type, operator and place in the output (counted in characters)."""

    type: str
    operator: str
    start: int
    end: int


class Rendered(NamedTuple):
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
        touched = names if names is not None and (names.find(text) or "\\" in text) else None
        ascii_only = text.isascii()
        parts: list[tuple[int, int, str]] = []
        replaced: list[Replaced] = []
        grown = 0
        for found in analysis.leaves:
            if not (found.findings or found.inner or touched):
                continue
            new = self._leaf(found, touched)
            if new.text == found.leaf.text:
                continue
            leaf, written = found.leaf, literal(new.text, ascii_only=ascii_only)
            at = leaf.start + grown + 1
            replaced += (r._replace(start=at + r.start, end=at + r.end) for r in new.replaced)
            parts.append((leaf.start, leaf.end, written))
            grown += len(written) - (leaf.end - leaf.start)
        return Rendered(spliced(text, parts), tuple(replaced))

    def _leaf(self, found: LeafFindings, names: NameFinder | None) -> Rendered:
        if found.inner is not None:
            return self.render(found.leaf.text, found.inner, names)
        return self._prose(found.leaf.text, found.findings, None if found.leaf.is_number else names)

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
        for leaf, findings, inner in analysis.leaves:
            if inner is not None:
                inside = self.reported(leaf.text, inner, names)
            else:
                more = () if names is None or leaf.is_number else names.find(leaf.text)
                inside = self._reported(leaf.text, [*findings, *more])
            if inside:
                raw = (
                    text[leaf.start : leaf.end]
                    if leaf.is_number
                    else text[leaf.start + 1 : leaf.end - 1]
                )
                at = leaf.start + (not leaf.is_number)
                places = origins(raw)
                found += (
                    f._replace(start=at + places[f.start], end=at + places[f.end]) for f in inside
                )
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


def _outside(findings: Sequence[Finding], own: Sequence[tuple[int, int]]) -> list[Finding]:
    """Cut findings back to what lies outside one's own placeholders."""
    pieces: list[Finding] = []
    for finding in findings:
        start = finding.start
        for begin, end in own:
            if end <= start or begin >= finding.end:
                continue
            if begin > start:
                pieces.append(finding._replace(start=start, end=begin))
            start = end
        if start < finding.end:
            pieces.append(finding._replace(start=start))
    return pieces
