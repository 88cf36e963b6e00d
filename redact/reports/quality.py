"""Compares findings with labels: precision, recall and coverage by type.

Letters and digits count, white space and punctuation at an edge do not. A label counts as *found*
if findings of its type cover at least 90 % of it; a finding counts as *right* if labels of its type
cover at least 90 % of it. A label is *gone* if at least 90 % of it is replaced, as any type: this
is the question of a privacy officer. F2 weighs recall four times as much as precision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redact.lexical.findings import PiiFinding

ENOUGH_COVERAGE: Final = 0.9
OVERALL: Final = "overall"


@dataclass(slots=True)
class DetectionScore:
    """Counts for one type: labels, labels found, labels gone; findings, and right findings."""

    labels: int = 0
    found: int = 0
    gone: int = 0
    findings: int = 0
    right: int = 0

    @property
    def precision(self) -> float | None:
        """Return the share of findings that are right, None if there is none."""
        return self.right / self.findings if self.findings else None

    @property
    def recall(self) -> float | None:
        """Return the share of labels that are found, None if there is none."""
        return self.found / self.labels if self.labels else None

    @property
    def coverage(self) -> float | None:
        """Return the share of labels that are gone, None if there is none."""
        return self.gone / self.labels if self.labels else None

    @property
    def f2(self) -> float | None:
        """Return F2 (van Rijsbergen's F with beta = 2), None without labels."""
        if not self.labels:
            return None
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0

    def __iadd__(self, other: "DetectionScore") -> "DetectionScore":
        self.labels += other.labels
        self.found += other.found
        self.gone += other.gone
        self.findings += other.findings
        self.right += other.right
        return self

    def to_json(self) -> dict[str, Any]:
        """Return counts and shares."""
        return {
            "labels": self.labels,
            "found": self.found,
            "gone": self.gone,
            "findings": self.findings,
            "right": self.right,
            "precision": self.precision,
            "recall": self.recall,
            "f2": self.f2,
            "coverage": self.coverage,
        }


@dataclass(slots=True)
class DetectionScores:
    """Scores by type; ``replaced`` are the types that a policy replaces, which make the total."""

    replaced: frozenset[str]
    types: dict[str, DetectionScore] = field(default_factory=dict)

    def add(self, text: str, labels: Sequence[PiiFinding], findings: Sequence[PiiFinding]) -> None:
        """Count one text by its labels and findings."""
        replaced = [finding for finding in findings if finding.type in self.replaced]
        for finding in labels:
            score = self._of(finding.type)
            score.labels += 1
            score.found += _is_covered(text, finding, _of_type(findings, finding.type))
            score.gone += _is_covered(text, finding, replaced)
        for finding in findings:
            score = self._of(finding.type)
            score.findings += 1
            score.right += _is_covered(text, finding, _of_type(labels, finding.type))

    def add_refused(self, labels: Sequence[PiiFinding]) -> None:
        """Count a text that could not be redacted: it has no findings, and nothing passes."""
        for label in labels:
            score = self._of(label.type)
            score.labels += 1
            score.gone += 1

    @property
    def overall(self) -> DetectionScore:
        """Return the sum over the types that the policy replaces."""
        total = DetectionScore()
        for kind, score in self.types.items():
            if kind in self.replaced:
                total += score
        return total

    def by_type(self) -> Mapping[str, DetectionScore]:
        """Return the scores of each type that was labelled or found, in order."""
        return dict(sorted(self.types.items()))

    def _of(self, kind: str) -> DetectionScore:
        return self.types.setdefault(kind, DetectionScore())


def _of_type(findings: Iterable[PiiFinding], kind: str) -> list[PiiFinding]:
    return [finding for finding in findings if finding.type == kind]


def _is_covered(text: str, finding: PiiFinding, others: Sequence[PiiFinding]) -> bool:
    """Return whether ``others`` cover at least 90 % of the letters and digits of a finding."""
    positions = [at for at in range(finding.start, finding.end) if text[at].isalnum()]
    positions = positions or list(range(finding.start, finding.end))
    near = [other for other in others if other.start < finding.end and finding.start < other.end]
    hit = sum(any(other.start <= at < other.end for other in near) for at in positions)
    return hit >= ENOUGH_COVERAGE * len(positions)
