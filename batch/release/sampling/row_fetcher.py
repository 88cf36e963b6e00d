"""Fetches whole rows by where they came from, a row group at a time, and only those that hold one.

First the coordinates of a row group are read, then, if a wanted row is in it, all of it: memory is
bounded by one row group, however large the lake.
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
    dataset: ds.Dataset, wanted: Collection[RowCoordinates], columns: Collection[str]
) -> list[Any]:
    """Return the wanted rows that are there, as Arrow tables of ``columns``."""
    if not wanted:
        return []
    offsets = [at.offset for at in wanted]
    near = (pc.field("_offset") >= min(offsets)) & (pc.field("_offset") <= max(offsets))
    names = list(dict.fromkeys([*columns, *COORDINATES]))
    found = []
    for group in _row_groups(dataset, near):
        places = _places(group.to_table(columns=list(COORDINATES), schema=dataset.schema), wanted)
        if places:
            whole = group.to_table(columns=names, schema=dataset.schema)
            found.append(whole.take(pa.array(places)))
    return found


def _row_groups(dataset: ds.Dataset, near: Any) -> Iterator[Any]:
    for fragment in dataset.get_fragments():
        yield from fragment.split_by_row_group(near, schema=dataset.schema)


def _places(keys: pa.Table, wanted: Collection[RowCoordinates]) -> list[int]:
    offsets = pa.array(sorted({at.offset for at in wanted}), pa.int64())
    likely = pc.indices_nonzero(pc.is_in(keys["_offset"], offsets))
    some = keys.take(likely)
    rows = zip(*(some[name].to_pylist() for name in COORDINATES), strict=True)
    return [
        i for i, row in zip(likely.to_pylist(), rows, strict=True) if RowCoordinates(*row) in wanted
    ]
