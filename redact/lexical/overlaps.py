"""Merges overlapping findings, so that each character of a text belongs to one at most."""

from collections.abc import Sequence

from redact.lexical.findings import PiiFinding


def merge_overlaps(findings: Sequence[PiiFinding], text: str) -> list[PiiFinding]:
    """Merge overlapping findings in ``text``, so that each character belongs to one at most.

    A merged finding covers all of its parts and takes type and value from the strongest part
    (highest score, then the longest). So no part of a finding is left at an edge, and text that
    touches a value does not change its pseudonym.
    """
    if len(findings) < 2:
        return list(findings)
    ordered = sorted(findings, key=lambda f: (f.start, -f.end))
    merged: list[PiiFinding] = []
    strongest = ordered[0]
    start, end = strongest.start, strongest.end
    for finding in ordered[1:]:
        if finding.start >= end:
            merged.append(_extend(strongest, start, end, text))
            strongest, start, end = finding, finding.start, finding.end
            continue
        end = max(end, finding.end)
        if _strength(finding) > _strength(strongest):
            strongest = finding
    merged.append(_extend(strongest, start, end, text))
    return merged


def _extend(finding: PiiFinding, start: int, end: int, text: str) -> PiiFinding:
    """Return a finding extended over its neighbours, with its original value."""
    if (finding.start, finding.end) == (start, end):
        return finding
    return finding.reading(text[finding.start : finding.end]).at(start, end)


def _strength(finding: PiiFinding) -> tuple[float, int, str, str]:
    return (finding.score, finding.end - finding.start, finding.type, finding.value)
