"""Which answers reviewers look at: at random within strata of the verdict, with a floor.

Where two sides are compared the strata are the pairs of verdicts, and both answers of a row are
drawn at once: reviewers say of the same rows what either side did.

The draw follows one order, of hashes that nobody can choose. So a larger draw holds the smaller
one, and who asks for more reviews gets the earlier ones again, with the probability of all of them.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from judges.correction.strata import LEAST_REVIEWS, OUTCOME_ORDER, pair_stratum
from judges.gate.readings import MetricReadings


def review_strata(
    candidate: MetricReadings, baseline: MetricReadings | None = None
) -> list[str | None]:
    """Return the stratum of each row, of both sides' verdicts where the baseline's are given.

    Rows without an outcome, or that the metric does not apply to, have None.
    """
    new = candidate.states.tolist()
    if baseline is None:
        return [state if state in OUTCOME_ORDER else None for state in new]
    return [pair_stratum(*pair) for pair in zip(new, baseline.states.tolist(), strict=True)]


def draw_reviews(
    marks: Sequence[str], stratum_of: Sequence[str | None], count: int, name: str
) -> dict[int, float]:
    """Return the places of the rows that are drawn, in random order, each with its probability.

    ``marks`` are the random texts of the rows, and ``name`` that of the metric. Rows without a
    stratum are never drawn.
    """
    strata: dict[str, list[int]] = {}
    for at, state in enumerate(stratum_of):
        if state is not None:
            strata.setdefault(state, []).append(at)
    keys = [sha256(f"review\n{name}\n{mark}".encode()).digest() for mark in marks]
    sizes = allocate_reviews({state: len(held) for state, held in strata.items()}, count)
    drawn = {
        at: sizes[state] / len(held)
        for state, held in strata.items()
        for at in sorted(held, key=keys.__getitem__)[: sizes[state]]
    }
    return {at: drawn[at] for at in sorted(drawn, key=keys.__getitem__)}


def allocate_reviews(rows: Mapping[str, int], count: int) -> dict[str, int]:
    """Return the reviews of each stratum: by its rows, but at least as many as it needs alone.

    That is `judges.correction.strata.LEAST_REVIEWS`, or all of its rows. What proportions leave
    over goes to the largest remainders; no stratum gets fewer when ``count`` is larger.
    """
    order = sorted(rows, key=lambda state: (-rows[state], state))
    sizes = dict.fromkeys(order, 0)
    for floor in range(1, LEAST_REVIEWS + 1):
        for state in order:
            if sum(sizes.values()) < count and sizes[state] < min(floor, rows[state]):
                sizes[state] += 1
    while sum(sizes.values()) < min(count, sum(rows.values())):
        # The stratum that is furthest below its proportion (D'Hondt's divisors: it never shrinks).
        short = max(
            (state for state in order if sizes[state] < rows[state]),
            key=lambda state: rows[state] / (sizes[state] + 1),
        )
        sizes[short] += 1
    return sizes
