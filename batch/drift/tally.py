"""Tallies: the counts of values by day that a drift report compares.

A feature is a column of traces, a key of their segments, the label in force, or what redaction or
quarantine found. Numbers are counted in narrow bands, so memory does not grow with the rows.
"""

import math
import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Final, NamedTuple

import numpy as np

from batch.drift.statistics import Counts

NO_VALUE: Final = "(none)"
"""Counts traces without a value; first where values have an order."""

OTHER_VALUES: Final = "(other)"
"""Counts the values of a column beyond those that are counted separately."""

STORED_RECORDS: Final = "(stored)"
"""Counts the records that were not quarantined."""

FeatureValues = frozenset[tuple[str, str]]
"""Pairs of a feature and one of its values that is counted separately."""

CATEGORY_FEATURES: Final = (
    "app",
    "environment",
    "status",
    "error_type",
    "model_provider",
    "model_version",
    "prompt_version",
    "finish_reason",
)
NUMERIC_FEATURES: Final = ("latency_ms", "input_tokens", "output_tokens", "cost_usd")
SEGMENT_PREFIX: Final = "segments."
LABEL_FEATURE: Final = "label"
P_FAIL_FEATURE: Final = "p_fail"
FINDINGS_FEATURE: Final = "findings"
QUARANTINE_FEATURE: Final = "quarantine"
SPAN_PREFIX: Final = "span_"
"""Before `findings` and `quarantine`: what was found in records of spans."""

BANDS_PER_OCTAVE: Final = 8
"""A band of a number is 9 % wide: ``floor(8 log2(x))``."""
EDGE_BITS: Final = 52
BAND_EDGES: Final = tuple(
    isqrt(isqrt(isqrt(2 ** (band + BANDS_PER_OCTAVE * EDGE_BITS)))) + (band > 0)
    for band in range(BANDS_PER_OCTAVE)
)
"""The smallest number of each band from 1 up to 2, in units of 2^-52: an eighth root, rounded up.

Logarithms differ in the last digit between engines; comparisons with these do not.
"""
LARGEST_NUMBER: Final = sys.float_info.max
LARGEST_BAND: Final = 1024 * BANDS_PER_OCTAVE - 1
"""The band of the largest numbers, and of infinity."""
P_FAIL_BANDS: Final = 50
ZERO_BAND: Final = -10_000
"""The band of numbers that are 0 or below."""


class TallyCell(NamedTuple):
    """How often (or with what weight) a feature has a value on a day, in days since 1970."""

    feature: str
    day: int
    value: str
    rows: float


@dataclass(frozen=True, slots=True)
class FeatureTally:
    """The counts of one period by feature, value and day."""

    cells: dict[str, dict[str, dict[int, float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    )

    def add(self, cells: Iterable[TallyCell]) -> None:
        """Add counts."""
        for feature, day, value, rows in cells:
            self.cells[feature][value][day] += rows

    @property
    def features(self) -> list[str]:
        """Return the features that have counts."""
        return sorted(self.cells)

    def values(self, feature: str) -> set[str]:
        """Return the values of a feature that have counts."""
        return set(self.cells.get(feature, ()))

    def add_missing(self, feature: str) -> None:
        """Count every trace as without a value, for a feature that has no counts."""
        if feature in self.cells:
            return
        traces = self.cells.get(CATEGORY_FEATURES[0], {})
        self.add(
            TallyCell(feature, d, NO_VALUE, n) for days in traces.values() for d, n in days.items()
        )

    def matrix(self, feature: str, values: Iterable[str]) -> Counts:
        """Return the counts of these values: a row for each day that has any, oldest first."""
        by_value: Mapping[str, Mapping[int, float]] = self.cells.get(feature, {})
        days = sorted({day for by_day in by_value.values() for day in by_day})
        columns = [[by_value.get(value, {}).get(day, 0.0) for day in days] for value in values]
        counts: Counts = np.array(columns, dtype=np.float64).reshape(len(columns), len(days)).T
        counted: Counts = counts[counts.sum(axis=1) > 0]
        return counted


def is_numeric(feature: str) -> bool:
    """Return whether the values of a feature have an order."""
    return feature in NUMERIC_FEATURES or feature == P_FAIL_FEATURE


def rank_of_band(value: str) -> float:
    """Return a number by which bands are ordered; no value comes first."""
    return float("-inf") if value == NO_VALUE else float(value)


def assign_band(feature: str, value: float | None) -> str:
    """Return the band of a number, `NO_VALUE` if there is none."""
    if value is None or math.isnan(value):
        return NO_VALUE
    if feature == P_FAIL_FEATURE:
        return str(math.floor(min(max(0.0, value) * P_FAIL_BANDS, P_FAIL_BANDS - 1)))
    if value <= 0:
        return str(ZERO_BAND)
    if value > LARGEST_NUMBER:
        return str(LARGEST_BAND)
    half, exponent = math.frexp(value)
    units = half * 2 ** (EDGE_BITS + 1)
    return str(BANDS_PER_OCTAVE * (exponent - 1) + bisect_right(BAND_EDGES, units) - 1)


def middle_of_band(feature: str, value: str) -> float:
    """Return the number in the middle of a band."""
    index = int(value)
    if feature == P_FAIL_FEATURE:
        return (index + 0.5) / P_FAIL_BANDS
    return 0.0 if index == ZERO_BAND else float(2 ** ((index + 0.5) / BANDS_PER_OCTAVE))
