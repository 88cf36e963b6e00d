"""Tallies a release as a reference: each drawn row represents as many traces as its weight.

The weighted shares are worth as many independent rows as Kish's effective sample size,
(sum of the weights)² / (sum of their squares) (Kish, Survey Sampling, 1965, 11.7).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from batch.drift.tally import (
    CATEGORY_FEATURES,
    LABEL_FEATURE,
    NO_VALUE,
    NUMERIC_FEATURES,
    P_FAIL_FEATURE,
    SEGMENT_PREFIX,
    FeatureTally,
    TallyCell,
    assign_band,
)
from batch.release.sampling.columns import NO_LABEL

_COLUMNS = (
    *CATEGORY_FEATURES,
    *NUMERIC_FEATURES,
    LABEL_FEATURE,
    P_FAIL_FEATURE,
    "segments",
    "weight",
)


def tally_release(rows: pa.Table) -> FeatureTally:
    """Return the shares of the drawn rows, scaled to the effective sample size, as one day."""
    weights: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    squares: dict[str, float] = defaultdict(float)
    drawn = rows.select(list(_COLUMNS)).to_pylist(maps_as_pydicts="strict")
    keys = {key for row in drawn for key in row["segments"]}
    for row in drawn:
        for feature, value in _features(row, keys) if row["weight"] else ():
            weights[feature][value] += row["weight"]
            squares[feature] += row["weight"] ** 2
    tally = FeatureTally()
    for feature, by_value in weights.items():
        scale = sum(by_value.values()) / squares[feature]
        tally.add(
            TallyCell(feature, 0, value, weight * scale) for value, weight in by_value.items()
        )
    return tally


def _features(row: Mapping[str, Any], keys: set[str]) -> Iterator[tuple[str, str]]:
    for name in CATEGORY_FEATURES:
        yield name, NO_VALUE if row[name] is None else str(row[name])
    for name in NUMERIC_FEATURES:
        yield name, assign_band(name, row[name])
    for key in keys:
        yield SEGMENT_PREFIX + key, row["segments"].get(key, NO_VALUE)
    yield LABEL_FEATURE, NO_VALUE if row[LABEL_FEATURE] == NO_LABEL else row[LABEL_FEATURE]
    if row[P_FAIL_FEATURE] is not None:
        yield P_FAIL_FEATURE, assign_band(P_FAIL_FEATURE, row[P_FAIL_FEATURE])
