"""Allocates rows to strata, without randomness.

n_h = max(floor, share of the rest), at most what the stratum has (Cochran, Sampling Techniques,
1977, ch. 5, with floors and ceilings). The sum is the requested size wherever that is possible.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batch.release.sampling.spec import AllocationRule
from schemas.errors import UsageError

_HALVINGS: Final = 200


@dataclass(frozen=True, slots=True)
class Stratum:
    """A stratum: its text, its values by column, the number of its traces and of its cells.

    A cell is the part of one cluster (conversation, user, or trace) that is in the stratum.
    ``represents``: how many traces those stand for, where a part of them was kept at random; None
    if as many as there are.
    """

    text: str
    values: Mapping[str, str | None]
    traces: int
    cells: int
    represents: float | None = None

    @property
    def represented(self) -> float:
        """Return how many traces the stratum stands for."""
        return self.traces if self.represents is None else self.represents


def allocate_rows(strata: Sequence[Stratum], size: int, rule: AllocationRule) -> dict[str, int]:
    """Return the number of rows to draw from each stratum, by its text.

    Raises UsageError if the floors alone add up to more than ``size``.
    """
    lows = {s.text: min(rule.floor, s.cells) for s in strata}
    if sum(lows.values()) > size:
        raise UsageError(
            f"{len(strata)} strata with a floor of {rule.floor} need {sum(lows.values())} rows, "
            f"but the size is {size}: raise `size`, or lower `allocation.floor`"
        )
    size = min(size, sum(s.cells for s in strata))
    shares = _shares(strata, rule)
    scale = _scale(strata, lows, shares, size)
    exact = {s.text: _within(scale * shares[s.text], lows[s.text], s.cells) for s in strata}
    return _rounded(exact, {s.text: s.cells for s in strata}, size)


def _shares(strata: Sequence[Stratum], rule: AllocationRule) -> dict[str, float]:
    if rule.by == "equal":
        return {s.text: 1.0 for s in strata}
    factors = {
        s.text: rule.error_factor
        if rule.by == "error_biased" and is_error_stratum(s.values)
        else 1.0
        for s in strata
    }
    return {s.text: s.traces * factors[s.text] for s in strata}


def is_error_stratum(values: Mapping[str, str | None]) -> bool:
    """Return whether a stratum holds failed answers or errors."""
    return values.get("label") == "fail" or values.get("status") == "error"


def _within(value: float, low: int, high: int) -> float:
    return min(max(value, low), high)


def _scale(
    strata: Sequence[Stratum], lows: Mapping[str, int], shares: Mapping[str, float], size: int
) -> float:
    """Return the factor that scales the shares to ``size`` rows, by bisection."""

    def total(scale: float) -> float:
        return sum(_within(scale * shares[s.text], lows[s.text], s.cells) for s in strata)

    low, high = 0.0, max((s.cells / shares[s.text] for s in strata), default=0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < size else (low, middle)
    return high


def _rounded(exact: Mapping[str, float], ceilings: Mapping[str, int], size: int) -> dict[str, int]:
    """Round so that the sum is ``size``: the largest remainders are rounded up, ties by text."""
    counts = {text: math.floor(value + 1e-9) for text, value in exact.items()}
    order = sorted(exact, key=lambda text: (counts[text] - exact[text], text))
    missing = size - sum(counts.values())
    for text in order:
        if missing > 0 and counts[text] < ceilings[text]:
            counts[text] += 1
            missing -= 1
    return counts
