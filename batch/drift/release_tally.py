"""A release as a reference: its drawn rows stand for as many traces as they weigh.

The weighted shares are worth as many independent rows as Kish's effective sample size says,
(sum of the weights)² / (sum of their squares) (Kish, Survey Sampling, 1965, 11.7).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from batch.drift.tally import (
    CATEGORIES,
    LABEL,
    NONE,
    NUMBERS,
    P_FAIL,
    SEGMENT,
    FeatureTally,
    TallyCell,
    assign_band,
)
from batch.release.sampling.columns import NO_LABEL

_COLUMNS = (*CATEGORIES, *NUMBERS, LABEL, P_FAIL, "segments", "weight")


def tally_release(rows: pa.Table) -> FeatureTally:
    """Return the shares of the rows that were drawn, scaled to what they are worth, as one day."""
    weights: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    squares: dict[str, float] = defaultdict(float)
    drawn = rows.select(list(_COLUMNS)).to_pylist(maps_as_pydicts="strict")
    keys = {key for row in drawn for key in row["segments"]}
    for row in drawn:
        for feature, value in _features(row, keys) if row["weight"] else ():
            weights[feature][value] += row["weight"]
            squares[feature] += row["weight"] ** 2
    found = FeatureTally()
    for feature, by_value in weights.items():
        worth = sum(by_value.values()) / squares[feature]
        found.add(
            TallyCell(feature, 0, value, weight * worth) for value, weight in by_value.items()
        )
    return found


def _features(row: Mapping[str, Any], keys: set[str]) -> Iterator[tuple[str, str]]:
    for name in CATEGORIES:
        yield name, NONE if row[name] is None else str(row[name])
    for name in NUMBERS:
        yield name, NONE if row[name] is None else assign_band(name, row[name])
    for key in keys:
        yield SEGMENT + key, row["segments"].get(key, NONE)
    yield LABEL, NONE if row[LABEL] == NO_LABEL else row[LABEL]
    if row[P_FAIL] is not None:
        yield P_FAIL, assign_band(P_FAIL, row[P_FAIL])
