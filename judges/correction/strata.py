"""Which outcomes are a stratum of their own, and which are merged, by a rule fixed beforehand.

All outcomes are strata, ``unknown`` and ``error`` included, so that a judge that abstains or fails
neither raises nor lowers an estimate. The rule depends on how many reviews a stratum has, and never
on what they say.
"""

from collections.abc import Mapping, Sequence
from typing import Final

LEAST_REVIEWS: Final = 5
"""A stratum with fewer reviews is merged with a neighbour."""
OUTCOME_ORDER: Final = ("pass", "unknown", "error", "fail")
"""The strata in order: neighbours are alike."""

PAIR_ORDER: Final = ("lost", "both pass", "undecided", "both fail", "gained")
"""The strata of the verdicts on two answers to one row, from what the first side lost to what it
gained: neighbours are alike in the difference."""

Stratum = tuple[str, ...]
"""The names that were merged into one stratum, in order."""


def pair_stratum(new: str, old: str) -> str | None:
    """Return the stratum of the outcomes of two answers to one row, None where one has none.

    All pairs in which a judge did not decide are one stratum: sixteen would leave too few reviews
    in each. Rows that a judge does not apply to, or has not judged yet, have no stratum.
    """
    if new not in OUTCOME_ORDER or old not in OUTCOME_ORDER:
        return None
    if new == old and new in ("pass", "fail"):
        return f"both {new}"
    return {("pass", "fail"): "gained", ("fail", "pass"): "lost"}.get((new, old), "undecided")


def merge_strata(
    reviews: Mapping[str, int], order: Sequence[str] = OUTCOME_ORDER, least: int = LEAST_REVIEWS
) -> list[Stratum]:
    """Return the strata of a population whose values are the keys of ``reviews``.

    While a stratum has fewer than ``least`` reviews, the one with the fewest (the first of equals)
    is merged with the neighbour that has fewer (the first of equals). Values that ``order`` lacks
    come last, by name.
    """
    places = {name: at for at, name in enumerate(order)}
    names = sorted(reviews, key=lambda name: (places.get(name, len(places)), name))
    strata: list[Stratum] = [(name,) for name in names]

    def size(at: int) -> tuple[int, int]:
        return sum(reviews[name] for name in strata[at]), at

    while len(strata) > 1:
        at = min(range(len(strata)), key=size)
        if size(at)[0] >= least:
            break
        other = min((near for near in (at - 1, at + 1) if 0 <= near < len(strata)), key=size)
        low, high = sorted((at, other))
        strata[low : high + 1] = [strata[low] + strata[high]]
    return strata


def probability_strata(
    p_fail: Sequence[float | None], bins: int = LEAST_REVIEWS
) -> list[str | None]:
    """Return a stratum for each probability: equal parts of all judged rows, by quantiles.

    The cuts come from all judged rows, not from the reviewed ones. A row without a probability has
    None, and its outcome stays its stratum.
    """
    known = sorted(p for p in p_fail if p is not None)
    cuts = [known[len(known) * part // bins] for part in range(1, bins)] if known else []
    return [None if p is None else f"p_fail {sum(p >= cut for cut in cuts)}" for p in p_fail]
