"""Measures how far reviewers agree beyond chance, and combines their judgements."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from schemas.records import Label

ReviewOutcome = Literal["pass", "fail", "unknown", "disputed"]


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of two reviewers (Cohen, 1960); None where it is not defined.

    Each pair holds both labels of one trace. 1 is full agreement, 0 is agreement by chance. It is
    not defined without pairs, or where both reviewers always give the same label.
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(label == other for label, other in pairs) / n
    first, second = Counter(label for label, _ in pairs), Counter(label for _, label in pairs)
    expected = sum(first[label] * second[label] for label in first) / (n * n)
    return (observed - expected) / (1 - expected) if expected < 1 else None


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Return Krippendorff's alpha for nominal data; None where it is not defined.

    Each unit holds the labels that any number of reviewers gave to one trace; units with fewer than
    two do not count. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), from
    coincidences. It is not defined where no trace was judged twice, or all judgements are the same.
    """
    coincidences: dict[tuple[str, str], float] = defaultdict(float)
    for unit in units:
        if len(unit) < 2:
            continue
        counts = Counter(unit)
        for label, n_label in counts.items():
            for other, n_other in counts.items():
                pairs = n_label * (n_other - (label == other))
                coincidences[label, other] += pairs / (len(unit) - 1)
    totals: dict[str, float] = defaultdict(float)
    for (label, _), count in coincidences.items():
        totals[label] += count
    n = sum(totals.values())
    expected = n * n - sum(total * total for total in totals.values())
    if n <= 1 or expected <= 0:
        return None
    disagreement = sum(count for (label, other), count in coincidences.items() if label != other)
    return 1 - (n - 1) * disagreement / expected


def adjudicate(votes: Sequence[Label]) -> ReviewOutcome:
    """Return the label given by more than half of the reviewers; ``disputed`` if there is none."""
    if not votes:
        return "disputed"
    label, count = Counter(votes).most_common(1)[0]
    return label if 2 * count > len(votes) else "disputed"
