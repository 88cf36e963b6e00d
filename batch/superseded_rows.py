"""Finds the assembled rows that a later revision of their trace has replaced.

No reader needs them: the trace in force is the highest revision, and so is the row that the
assembly compares with. A record of the trace changes nothing: then no assembled row is in force,
but the highest revision stays, since the next one is numbered after it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.assembled_rows import LATER_REVISION, has_assembled_rows
from lake.parquet import PARTITION_COLUMN
from lake.tables import FILE_COLUMN, Table

_TRACES: Final = "traces"
NEAR_DAYS: Final = timedelta(days=2)
"""How far a revision may be, in days of the event, from the one that it replaces."""


@dataclass(frozen=True, slots=True)
class LatestRevisions:
    """The highest revision of each trace that has more than one, by trace id."""

    trace_ids: pa.Array
    revisions: pa.Array

    def find_superseded(self, rows: pa.Table | pa.RecordBatch) -> pa.ChunkedArray | pa.Array:
        """Return which rows of a table a later revision replaces."""
        if not len(self.trace_ids):
            return pa.array([False] * rows.num_rows, pa.bool_())
        places = pc.index_in(rows["trace_id"], value_set=self.trace_ids)
        latest = pc.take(self.revisions, places)
        return pc.fill_null(pc.less(rows["revision"], latest), False)  # noqa: FBT003 - a value


def read_latest_revisions(table: Table, days: Collection[date]) -> LatestRevisions:
    """Return the highest revisions of traces near some days, as of the table's last refresh.

    Tables other than ``traces`` have none. RetryableError if the lake is unavailable.
    """
    parts: list[pa.RecordBatch] = []
    if table.name == _TRACES and days and has_assembled_rows(table):
        day = pc.field(PARTITION_COLUMN)
        near = (day >= min(days) - NEAR_DAYS) & (day <= max(days) + NEAR_DAYS)
        parts = list(table.batches(("trace_id", "revision"), near & LATER_REVISION))
    if not parts:
        return LatestRevisions(pa.array([], pa.string()), pa.array([], pa.int64()))
    rows = pa.Table.from_batches(parts).group_by("trace_id").aggregate([("revision", "max")])
    return LatestRevisions(rows["trace_id"].combine_chunks(), rows["revision_max"].combine_chunks())


def find_outdated_files(table: Table, days: Collection[date]) -> set[str]:
    """Return the files of some days that hold rows which later revisions replace; else as above."""
    latest = read_latest_revisions(table, days)
    if not len(latest.trace_ids):
        return set()
    of_days = pc.field(PARTITION_COLUMN).isin(pa.array(sorted(set(days)), pa.date32()))
    assembled = of_days & pc.field("revision").is_valid()
    return {
        path
        for batch in table.batches(("trace_id", "revision", FILE_COLUMN), assembled)
        for path in batch.filter(latest.find_superseded(batch)).column(FILE_COLUMN).to_pylist()
    }
