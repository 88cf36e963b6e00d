"""Whether reviewers agree, beyond what chance would give, and what they decide together."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from schemas.records import Label

ReviewOutcome = Literal["pass", "fail", "unknown", "disputed"]


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of two reviewers (Cohen, 1960); None where it is not defined.

    Each pair holds what the two said of one trace. 1 is full agreement, 0 what chance would give.
    It is not defined without pairs, or where both always say the same one thing.
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(one == other for one, other in pairs) / n
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(first[label] * second[label] for label in first) / (n * n)
    return (observed - expected) / (1 - expected) if expected < 1 else None


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Return Krippendorff's alpha for nominal data; None where it is not defined.

    Each unit holds what any number of reviewers said of one trace; those with fewer than two do not
    count. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), from coincidences. It is
    not defined where nothing was judged twice, or everything was judged the same.
    """
    coincidences: dict[tuple[str, str], float] = defaultdict(float)
    for unit in units:
        if len(unit) < 2:
            continue
        counts = Counter(unit)
        for one, n_one in counts.items():
            for other, n_other in counts.items():
                among = n_one * (n_other - (one == other))
                coincidences[one, other] += among / (len(unit) - 1)
    totals: dict[str, float] = defaultdict(float)
    for (one, _), count in coincidences.items():
        totals[one] += count
    n = sum(totals.values())
    expected = n * n - sum(total * total for total in totals.values())
    if n <= 1 or expected <= 0:
        return None
    disagreement = sum(count for (one, other), count in coincidences.items() if one != other)
    return 1 - (n - 1) * disagreement / expected


def adjudicate(votes: Sequence[Label]) -> ReviewOutcome:
    """Return what more than half of the reviewers say; ``disputed`` if there is no such thing."""
    if not votes:
        return "disputed"
    label, count = Counter(votes).most_common(1)[0]
    return label if 2 * count > len(votes) else "disputed"
