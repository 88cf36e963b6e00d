"""The trace in force: which row of table ``traces`` stands for a trace.

A trace can have several rows: an application sent its record twice, the trace was assembled again
from more spans, or it came both as a record and as spans. One rule decides, for every reader:

1. of all rows with one trace id, the first in this order counts: a record before an assembled row;
   of two records the one with the lowest coordinates; of two assembled rows the highest revision;
2. if that row has ``duplicate_of``, the trace has no row in force: another trace stands for the
   call.

The rule looks at all rows of the trace, before any filter by day or content. Here it is for rows in
Python, for Arrow tables, and as SQL; `batch.release.sampling.selection_query` has it for Ibis.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

IN_FORCE_COLUMNS: Final = (
    "trace_id",
    "revision",
    "duplicate_of",
    "_offset",
    "_topic",
    "_partition",
)
"""The columns that the rule needs."""

IN_FORCE_ORDER_SQL: Final = "revision DESC NULLS FIRST, _offset, _topic, _partition"
"""The order of the rows of one trace, the one that counts first; for DuckDB and Spark."""

ASSEMBLED_FROM: Final = 2**62
"""Numbers of precedence from here on are those of assembled rows; offsets are far below."""
_FIRST_REVISION: Final = ASSEMBLED_FROM + 2**61

RowT = TypeVar("RowT", bound=Mapping[str, Any])
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def in_force_sql(table: str, columns: str = "*") -> str:
    """Return a query for the rows in force of a table or view, in the SQL of DuckDB and Spark."""
    return (
        f"SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY trace_id "  # noqa: S608 - names of this program
        f"ORDER BY {IN_FORCE_ORDER_SQL}) AS place FROM {table}) "
        "WHERE place = 1 AND duplicate_of IS NULL"
    )


def row_precedence(row: Mapping[str, Any]) -> tuple[bool, int, int, str, int]:
    """Return the key that orders the rows of one trace: the lowest counts.

    ``row`` has at least ``IN_FORCE_COLUMNS``.
    """
    revision = row["revision"]
    return (
        revision is not None,
        -(revision or 0),
        row["_offset"],
        row["_topic"],
        row["_partition"],
    )


def choose_in_force(rows: Iterable[RowT]) -> RowT | None:
    """Return the row in force among all rows of one trace; None if there is none."""
    first = min(rows, key=row_precedence, default=None)
    return None if first is None or first["duplicate_of"] is not None else first


def mask_in_force(rows: pa.Table) -> BoolArray:
    """Return which rows are in force; ``rows`` hold all rows of their traces."""
    first = mask_first(rows)
    return first & np.asarray(rows["duplicate_of"].is_null()).astype(np.bool_)


def mask_first(rows: pa.Table) -> BoolArray:
    """Return which rows count for their trace, whether or not they repeat another one."""
    first = np.zeros(len(rows), np.bool_)
    if not len(rows):
        return first
    codes = _codes(rows["trace_id"])
    order = np.lexsort(
        (
            np.asarray(rows["_partition"]).astype(np.int64),
            _codes(rows["_topic"], in_order=True),
            np.asarray(rows["_offset"]).astype(np.int64),
            -np.asarray(rows["revision"].fill_null(2**62)).astype(np.int64),
            codes,
        )
    )
    starts = np.ones(len(order), np.bool_)
    starts[1:] = codes[order][1:] != codes[order][:-1]
    first[order[starts]] = True
    return first


def precedence_numbers(offsets: IntArray, revisions: IntArray | None) -> IntArray:
    """Return one number for each row of one partition or shard; of a trace, the lowest counts.

    ``revisions`` is below 0 for records, None if all rows are records.
    """
    if revisions is None:
        return offsets
    numbers: IntArray = np.where(revisions < 0, offsets, _FIRST_REVISION - revisions)
    return numbers


def assembled_revision(precedence: int) -> int:
    """Return the revision of a row by its number (`precedence_numbers`); 0 of a record."""
    return _FIRST_REVISION - precedence if precedence >= ASSEMBLED_FROM else 0


def _codes(column: pa.ChunkedArray, *, in_order: bool = False) -> IntArray:
    """Return a number for each text; ``in_order``: ordered as the texts are."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices).astype(np.int64)
    if in_order:
        texts = encoded.dictionary.to_pylist()
        ranks = np.empty(len(texts), np.int64)
        ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
        codes = ranks[codes]
    return codes
