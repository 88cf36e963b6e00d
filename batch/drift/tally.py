"""What is compared: counts of values by day, one row for each value of each feature.

A feature is a column of traces, a key of their segments, the label in force, or what was found or
set aside. Numbers are counted in narrow bands, so that memory does not grow with the rows.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from batch.drift.statistics import Counts

NONE: Final = "(none)"
"""Stands for a value that is not there; before all others where values have an order."""

OTHER: Final = "(other)"
"""Stands for the values of a column that has more of them than are told apart."""

STORED: Final = "(stored)"
"""Stands for the records that did not go to quarantine."""

FeatureValues = frozenset[tuple[str, str]]
"""Pairs of a feature and one of its values that is told apart from others."""

CATEGORIES: Final = (
    "app",
    "environment",
    "status",
    "error_type",
    "model_provider",
    "model_version",
    "prompt_version",
    "finish_reason",
)
NUMBERS: Final = ("latency_ms", "input_tokens", "output_tokens", "cost_usd")
SEGMENT: Final = "segments."
LABEL: Final = "label"
P_FAIL: Final = "p_fail"
FINDINGS: Final = "findings"
QUARANTINE: Final = "quarantine"

BANDS_PER_OCTAVE: Final = 8
"""A band of a number is 9 % wide: ``floor(8 log2(x))``."""
P_FAIL_BANDS: Final = 50
ZERO: Final = -10_000
"""The band of numbers that are 0 or below."""


class TallyCell(NamedTuple):
    """How often (or with what weight) a feature has a value on a day, counted since 1970."""

    feature: str
    day: int
    value: str
    rows: float


@dataclass(frozen=True, slots=True)
class FeatureTally:
    """Counts of one period by feature, value and day."""

    cells: dict[str, dict[str, dict[int, float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    )

    def add(self, cells: Iterable[TallyCell]) -> None:
        """Count."""
        for feature, day, value, rows in cells:
            self.cells[feature][value][day] += rows

    @property
    def features(self) -> list[str]:
        """Return the features that anything was counted of."""
        return sorted(self.cells)

    def values(self, feature: str) -> set[str]:
        """Return the values that a feature has."""
        return set(self.cells.get(feature, ()))

    def filled(self, feature: str) -> None:
        """Say of every trace that it has no value of a feature that nothing was counted of."""
        if feature in self.cells:
            return
        traces = self.cells.get(CATEGORIES[0], {})
        self.add(
            TallyCell(feature, d, NONE, n) for days in traces.values() for d, n in days.items()
        )

    def matrix(self, feature: str, values: Iterable[str]) -> Counts:
        """Return the counts of these values: a row for each day that has any, oldest first."""
        found: Mapping[str, Mapping[int, float]] = self.cells.get(feature, {})
        days = sorted({day for by_day in found.values() for day in by_day})
        columns = [[found.get(value, {}).get(day, 0.0) for day in days] for value in values]
        counts: Counts = np.array(columns, dtype=np.float64).reshape(len(columns), len(days)).T
        some: Counts = counts[counts.sum(axis=1) > 0]
        return some


def is_numeric(feature: str) -> bool:
    """Tell whether the values of a feature have an order."""
    return feature in NUMBERS or feature == P_FAIL


def rank_of_band(value: str) -> float:
    """Return where a band stands among the others; what is not there comes first."""
    return float("-inf") if value == NONE else float(value)


def assign_band(feature: str, number: float) -> str:
    """Return the band that a number falls into."""
    if feature == P_FAIL:
        return str(min(P_FAIL_BANDS - 1, math.floor(number * P_FAIL_BANDS)))
    return str(ZERO if number <= 0 else math.floor(BANDS_PER_OCTAVE * math.log2(number)))


def middle_of_band(feature: str, value: str) -> float:
    """Return a number in the middle of a band."""
    number = int(value)
    if feature == P_FAIL:
        return (number + 0.5) / P_FAIL_BANDS
    return 0.0 if number == ZERO else float(2 ** ((number + 0.5) / BANDS_PER_OCTAVE))
