"""Tests whether two periods differ by more than their own days vary, and measures how far.

Traces are not independent of each other: one conversation makes many, weekends differ from
weekdays, and one user's retries are not a change in production. So the sampled unit is the day. The
dispersion measures how much the days of a period differ, beyond counting error:

    phi = max(1, sum over days d, values k of (n_dk - n_d p_k)² / (n_d p_k) / ((D - 2) (K - 1)))

where ``p_k`` is the share of a value in the day's own period, and D the days of both periods. The
test is the quasi-likelihood F-test (McCullagh and Nelder, Generalized Linear Models, 1989, 4.5):
the chi-square of the table of two periods by K values, over (K - 1) phi, against F(K - 1, D - 2).
The second degrees of freedom count days, not days times values, which is conservative where values
vary together.

Distances measure the difference, independently of the number of rows:

    Jensen-Shannon  sqrt(H((p + q) / 2) - (H(p) + H(q)) / 2), entropy H in bits; 0 to 1
                    (Endres and Schindelin, IEEE Trans. Information Theory 49, 2003)
    Kolmogorov      the largest difference of the two cumulated shares, for numbers; 0 to 1
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from labels.binomial_interval import beta_cdf

Counts = npt.NDArray[np.float64]

RARE: Final = 5.0
"""Values expected less often than this in one of the periods are tested together (Cochran 1954)."""


@dataclass(frozen=True, slots=True)
class ComparedCounts:
    """Counts of the same K values, by day (rows), of the reference and of the window.

    ``weighed`` means that the reference is one row: a sample of known effective size instead of
    days, without a dispersion of its own.
    """

    reference: Counts
    window: Counts
    weighed: bool = False

    @property
    def shares(self) -> tuple[Counts, Counts]:
        """Return the share of each value, in the reference and in the window."""
        before, after = self.reference.sum(axis=0), self.window.sum(axis=0)
        return before / before.sum(), after / after.sum()

    @property
    def freedom(self) -> int:
        """Return the degrees of freedom of the dispersion: days with rows, less one per period."""
        days = _days(self.window) - 1
        return days if self.weighed else days + _days(self.reference) - 1


@dataclass(frozen=True, slots=True)
class FTestResult:
    """The p-value of the difference, and the dispersion of days."""

    p: float
    dispersion: float


def jensen_shannon_distance(p: Counts, q: Counts) -> float:
    """Return the Jensen-Shannon distance of two rows of shares, in [0, 1]."""
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return float(np.sqrt(min(1.0, max(0.0, divergence))))


def kolmogorov_distance(p: Counts, q: Counts) -> float:
    """Return the largest difference of cumulated shares, for values in order; in [0, 1]."""
    return float(np.abs(np.cumsum(p) - np.cumsum(q)).max())


def run_f_test(counts: ComparedCounts) -> FTestResult:
    """Test whether reference and window have the same shares."""
    tested = _without_rare(counts)
    phi = _dispersion(tested)
    before, after = tested.reference.sum(axis=0), tested.window.sum(axis=0)
    values = len(before)
    if values < 2 or counts.freedom < 1:
        return FTestResult(1.0, phi)
    statistic = _chi_square(before if counts.weighed else before / phi, after / phi)
    return FTestResult(f_survival(statistic / (values - 1), values - 1, counts.freedom), phi)


def f_survival(f: float, first: float, second: float) -> float:
    """Return the probability that F(first, second) is above ``f`` (DLMF 8.17)."""
    if f <= 0:
        return 1.0
    return beta_cdf(second / (second + first * f), second / 2, first / 2)


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the family errs as often as a single test (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _days(counts: Counts) -> int:
    return int((counts.sum(axis=1) > 0).sum())


def _entropy(shares: Counts) -> float:
    nonzero = shares[shares > 0]
    return float(-(nonzero * np.log2(nonzero)).sum())


def _without_rare(counts: ComparedCounts) -> ComparedCounts:
    """Merge the values that are too rare for a chi-square test."""
    before, after = counts.reference.sum(axis=0), counts.window.sum(axis=0)
    smaller = min(before.sum(), after.sum())
    rare = (before + after) / (before + after).sum() * smaller < RARE
    if not rare.any():
        return counts
    return ComparedCounts(
        _merge(counts.reference, rare), _merge(counts.window, rare), counts.weighed
    )


def _merge(counts: Counts, rare: npt.NDArray[np.bool_]) -> Counts:
    return np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])


def _dispersion(counts: ComparedCounts) -> float:
    parts = [counts.window] if counts.weighed else [counts.reference, counts.window]
    freedom: int = counts.freedom * (counts.window.shape[1] - 1)
    if freedom < 1:
        return 1.0
    return max(1.0, math.fsum(_within(part) for part in parts) / freedom)


def _within(counts: Counts) -> float:
    """Return how far the days of a period deviate from the period, as a chi-square."""
    shares = counts.sum(axis=0) / counts.sum()
    expected = np.outer(counts.sum(axis=1), shares)
    return _pearson(counts, expected)


def _chi_square(before: Counts, after: Counts) -> float:
    table = np.vstack([before, after])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return _pearson(table, expected)


def _pearson(counts: Counts, expected: Counts) -> float:
    nonzero = expected > 0
    return float(((counts[nonzero] - expected[nonzero]) ** 2 / expected[nonzero]).sum())
