"""A segment with its personal data replaced, valid in the same form as it came.

Findings are merged into disjoint stretches and the text is put together once, from the pieces
between them; the leaves of JSON are written again as literals where they stood.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

import msgspec

from redact.findings import Finding, disjoint
from redact.names import NameFinder, Names, Reading, found_in
from redact.policy import Rule
from redact.pseudonyms import Operator, Pseudonyms
from redact.segments import Analysis, Mark
from redact.structure import literal, literals, origins, spliced, value_of

KEEP = "keep"
_BREAK = "\0"


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
        analysis: Analysis,
        names: Sequence[NameFinder],
        named: Sequence[Finding],
    ) -> Rendered:
        """Return the segment with all that the policy names replaced.

        ``named`` is what ``names`` find in ``text``.
        """
        if analysis.marks is None:
            return self._prose(text, analysis.findings, named, analysis.quotes)
        ascii_only = text.isascii()
        parts: list[tuple[int, int, str]] = []
        replaced: list[Replaced] = []
        grown = 0
        starts = sorted([finding.start for finding in named])
        for mark in _marks(text, analysis.marks, names, named):
            new = self._mark(mark, names if _may_stand(text, mark, starts) else ())
            if new.text == mark.text:
                continue
            written = literal(new.text, ascii_only=ascii_only)
            at = mark.start + grown + 1
            replaced += [moved(one, at) for one in new.replaced]
            parts.append((mark.start, mark.end, written))
            grown += len(written) - (mark.end - mark.start)
        return Rendered(spliced(text, parts), tuple(replaced))

    def _mark(self, mark: Mark, names: Sequence[NameFinder]) -> Rendered:
        text, findings = mark.text, mark.findings
        named = found_in(text, names)
        if mark.inner is not None:
            return self.render(text, mark.inner, names, named)
        return self._prose(text, findings, named, mark.quotes)

    def _prose(
        self,
        text: str,
        findings: Sequence[Finding],
        named: Sequence[Finding],
        quotes: Mapping[int, str],
    ) -> Rendered:
        chosen = self.chosen(text, identified(findings, named))
        if not chosen:
            return Rendered(text, ())
        pieces: list[str] = []
        replaced: list[Replaced] = []
        done = length = 0
        for finding in disjoint(chosen, text):
            operator = self.rules[finding.type].operator
            value = finding.value or text[finding.start : finding.end]
            new = self._operators[operator](finding.type, value, self._scope)
            quote = quotes.get(finding.start, "") if new else ""
            kept = text[done : finding.start] + quote
            length += len(kept)
            replaced.append(Replaced(finding.type, operator, length, length + len(new)))
            pieces += (kept, new, quote)
            length += len(new) + len(quote)
            done = finding.end
        pieces.append(text[done:])
        return Rendered("".join(pieces), tuple(replaced))

    def reported(self, text: str, analysis: Analysis, names: Sequence[NameFinder]) -> list[Finding]:
        """Return all that was found and counts by the policy, kept or not, by place in ``text``.

        What is replaced is merged; of what is kept only the stretches outside of it are given.
        """
        named = found_in(text, names)
        if analysis.marks is None:
            return self._reported(text, [*analysis.findings, *named])
        found: list[Finding] = []
        for mark in _marks(text, analysis.marks, names, named):
            if mark.inner is not None:
                inside = self.reported(mark.text, mark.inner, names)
            else:
                inside = self._reported(mark.text, [*mark.findings, *found_in(mark.text, names)])
            if inside:
                quotes = not mark.is_number
                places = origins(text[mark.start + quotes : mark.end - quotes])
                at = mark.start + quotes
                found += (f.at(at + places[f.start], at + places[f.end]) for f in inside)
        return found

    def kept(self, text: str, analysis: Analysis, names: Sequence[NameFinder]) -> list[str]:
        """Return the type of each finding in a segment that the policy leaves as it is."""
        found = self.reported(text, analysis, names)
        return [f.type for f in found if self.rules[f.type].operator == KEEP]

    def _reported(self, text: str, findings: Sequence[Finding]) -> list[Finding]:
        replaced = disjoint(self.chosen(text, findings), text)
        kept = [
            f
            for f in findings
            if (rule := self.rules.get(f.type)) is not None
            and rule.operator == KEEP
            and f.score >= rule.score
            and not any(r.start < f.end and f.start < r.end for r in replaced)
        ]
        return sorted([*replaced, *disjoint(kept, text)], key=lambda f: (f.start, f.end))

    def chosen(self, text: str, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings that the policy replaces: strong enough, not allowed, not ours."""
        rules = self.rules
        chosen = [
            f
            for f in findings
            if (rule := rules.get(f.type)) is not None
            and f.score >= rule.score
            and rule.operator != KEEP
        ]
        if chosen and self._allowed is not None:
            allowed = self._allowed
            chosen = [f for f in chosen if not allowed(text[f.start : f.end])]
        if chosen and "<" in text and (own := self._pseudonyms.own_placeholders(text)):
            chosen = _outside(chosen, own)
        return chosen


def identified(findings: Sequence[Finding], named: Sequence[Finding]) -> list[Finding]:
    """Return both together, so that all forms of one person's name stand for the same value.

    ``named`` are the places of what the record taught. A place that may mean two persons means
    neither: there the name stands for itself.
    """
    if not named:
        return list(findings)
    whom: dict[tuple[int, int], str] = {}
    for one in named:
        if one.type == "PERSON":
            place = one.start, one.end
            whom[place] = one.value if whom.get(place, one.value) == one.value else ""
    return [
        Finding(f.type, f.start, f.end, f.score, whom[f.start, f.end])
        if f.type == "PERSON" and (f.start, f.end) in whom
        else f
        for f in (*findings, *named)
    ]


def standing(text: str, analysis: Analysis, names: Names) -> dict[int, tuple[Finding, ...]]:
    """Return, by serial, where the names stand in a segment that do, or stand behind its escapes.

    Of a name that stands only behind the escapes of a JSON text the places are others.
    """
    found = names.standing(Reading(text))
    if analysis.marks is not None and "\\" in text:
        values = [value_of(text[at:end]) for at, end in literals(text) if "\\" in text[at:end]]
        found = names.standing(Reading(_BREAK.join(values))) | found
    return found


def _marks(
    text: str, marks: Sequence[Mark], names: Sequence[NameFinder], named: Sequence[Finding]
) -> Sequence[Mark]:
    """Return the marks of a JSON text, and of each literal in which a learnt value may stand."""
    if not names:
        return marks
    starts = sorted([finding.start for finding in named])
    known = {mark.start: mark for mark in marks}
    if "\\" not in text and _all_within(starts, marks):
        return marks
    for start, end in literals(text):
        if start in known:
            continue
        at = bisect_left(starts, start)
        raw = text[start:end]
        if (at < len(starts) and starts[at] < end) or "\\" in raw:
            known[start] = Mark(start, end, value_of(raw), raw[0] != '"', (), None)
    return [known[start] for start in sorted(known)]


def _may_stand(text: str, mark: Mark, starts: Sequence[int]) -> bool:
    """Return whether a learnt value may stand in a literal, by the places, in order, in its text.

    Behind escapes the places are others.
    """
    at = bisect_left(starts, mark.start)
    inside = at < len(starts) and starts[at] < mark.end
    return inside or text.find("\\", mark.start, mark.end) >= 0


def _all_within(starts: Sequence[int], marks: Sequence[Mark]) -> bool:
    """Tell whether each of some places, in order, is within a mark; so are the marks in order."""
    following = iter(marks)
    end = 0
    for start in starts:
        while start >= end:
            mark = next(following, None)
            if mark is None or start < mark.start:
                return False
            end = mark.end
    return True


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
