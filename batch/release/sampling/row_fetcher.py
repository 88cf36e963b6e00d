"""Fetches complete rows by their coordinates, one row group at a time.

The coordinates of a row group are read first; all of it is read only if a requested row is in it.
So memory is bounded by one row group, however large the lake.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from batch.release.sampling.selection_query import COORDINATES


class RowCoordinates(NamedTuple):
    """The coordinates of a row."""

    topic: str
    partition: int
    offset: int


def fetch_rows(
    dataset: ds.Dataset, coordinates: Collection[RowCoordinates], columns: Collection[str]
) -> list[pa.Table]:
    """Return the rows that exist at these coordinates, as tables with ``columns``."""
    if not coordinates:
        return []
    offsets = [row.offset for row in coordinates]
    span = (pc.field("_offset") >= min(offsets)) & (pc.field("_offset") <= max(offsets))
    names = list(dict.fromkeys([*columns, *COORDINATES]))
    tables = []
    for group in _row_groups(dataset, span):
        keys = group.to_table(columns=list(COORDINATES), schema=dataset.schema)
        indices = _matching(keys, coordinates)
        if indices:
            rows = group.to_table(columns=names, schema=dataset.schema)
            tables.append(rows.take(pa.array(indices)))
    return tables


def _row_groups(dataset: ds.Dataset, span: ds.Expression) -> Iterator[Any]:
    for fragment in dataset.get_fragments():
        yield from fragment.split_by_row_group(span, schema=dataset.schema)


def _matching(keys: pa.Table, coordinates: Collection[RowCoordinates]) -> list[int]:
    """Return the indices of the rows with one of these coordinates."""
    offsets = pa.array(sorted({row.offset for row in coordinates}), pa.int64())
    likely = pc.indices_nonzero(pc.is_in(keys["_offset"], offsets))
    candidates = keys.take(likely)
    rows = zip(*(candidates[name].to_pylist() for name in COORDINATES), strict=True)
    return [
        i
        for i, row in zip(likely.to_pylist(), rows, strict=True)
        if RowCoordinates(*row) in coordinates
    ]
