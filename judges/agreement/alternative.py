"""May the judge stand in for a reviewer? The alternative annotator test.

Calderon, Reichart and Dror, arXiv 2501.10970. Each reviewer is left out in turn. On each row, judge
and reviewer are compared by the share of the other reviewers that they agree with. The judge wins
against a reviewer if it is, by a paired t-test with allowance ε, no worse more often than the
reviewer is; the p-values are adjusted by Benjamini and Yekutieli (Annals of Statistics 29, 2001).
The judge passes if it wins against at least half of the reviewers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from labels.binomial_interval import beta_cdf

LEAST_REVIEWERS: Final = 3
LEAST_ROWS: Final = 30
"""A reviewer with fewer rows in common with the others is not compared."""


class ManyReviews(NamedTuple):
    """A row: the judge's verdict, and the label of each reviewer by name."""

    verdict: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlternativeTest:
    """``winning`` is the share of reviewers that the judge wins against.

    ``advantage`` is the mean probability that the judge is as good as a reviewer or better.
    """

    reviewers: int
    winning: float
    advantage: float

    @property
    def passes(self) -> bool:
        """Return whether the judge may stand in for a reviewer."""
        return self.winning >= 0.5


def alternative_test(
    rows: Sequence[ManyReviews], *, allowance: float = 0.15, level: float = 0.05
) -> AlternativeTest | None:
    """Return the test; None with fewer than three reviewers who have rows enough in common."""
    names = sorted({name for row in rows for name in row.labels})
    compared = [_compare(rows, name) for name in names]
    usable = [pairs for pairs in compared if len(pairs) >= LEAST_ROWS]
    if len(usable) < LEAST_REVIEWERS:
        return None
    p_values = [_p_value([own - judge for judge, own in pairs], allowance) for pairs in usable]
    adjusted = _adjust_benjamini_yekutieli(p_values)
    return AlternativeTest(
        reviewers=len(usable),
        winning=sum(p <= level for p in adjusted) / len(usable),
        advantage=sum(sum(j for j, _ in pairs) / len(pairs) for pairs in usable) / len(usable),
    )


def _compare(rows: Sequence[ManyReviews], name: str) -> list[tuple[int, int]]:
    """Return for each row whether the judge is at least as good as the reviewer, and vice versa."""
    pairs = []
    for row in rows:
        others = [label for reviewer, label in row.labels.items() if reviewer != name]
        if name not in row.labels or not others:
            continue
        judge = sum(label == row.verdict for label in others)
        own = sum(label == row.labels[name] for label in others)
        pairs.append((int(judge >= own), int(own >= judge)))
    return pairs


def _p_value(differences: Sequence[float], allowance: float) -> float:
    """Return the one-sided p of a mean difference of at least ``allowance`` (paired t-test)."""
    n = len(differences)
    mean = sum(differences) / n - allowance
    variance = sum((d - allowance - mean) ** 2 for d in differences) / (n - 1)
    if variance <= 0:
        return 0.0 if mean < 0 else 1.0
    t = mean / math.sqrt(variance / n)
    tail = beta_cdf((n - 1) / (n - 1 + t * t), (n - 1) / 2, 0.5) / 2
    return tail if t < 0 else 1 - tail


def _adjust_benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    count = len(p_values)
    factor = count * sum(1 / rank for rank in range(1, count + 1))
    adjusted, smallest = [1.0] * count, 1.0
    for rank, at in sorted(enumerate(sorted(range(count), key=p_values.__getitem__), 1))[::-1]:
        smallest = min(smallest, p_values[at] * factor / rank)
        adjusted[at] = smallest
    return adjusted
