"""Numbers rows of ``traces`` that were assembled and redacted: coordinates, revision, duplicates.

Which rows are written is known only after redaction: those that say something new. So they get
their numbers afterwards. Nothing else in them can change here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from schemas.redacted import Redacted

_NUMBERS: Final = ("_partition", "_offset", "revision")


@dataclass(frozen=True, slots=True)
class RowNumbers:
    """The numbers of one row: its shard, its number in the shard's sequence, and its revision.

    ``row`` is its place among the rows that were redacted; ``revision`` is None in a table that has
    none.
    """

    row: int
    shard: int
    number: int
    revision: int | None


def number_assembled_rows(
    rows: Redacted[pa.RecordBatch], numbers: Sequence[RowNumbers]
) -> Redacted[pa.RecordBatch]:
    """Return the rows that are numbered, with their numbers, in the order given."""
    batch = rows.value.take(pa.array([each.row for each in numbers], pa.int64()))
    values = {
        "_partition": [each.shard for each in numbers],
        "_offset": [each.number for each in numbers],
        "revision": [each.revision for each in numbers],
    }
    columns = [
        pa.array(values[field.name], field.type) if field.name in _NUMBERS else batch[field.name]
        for field in batch.schema
    ]
    return Redacted(pa.RecordBatch.from_arrays(columns, schema=batch.schema), rows.policy)
