"""Which rows of table ``traces`` may replace rows of other days: later revisions.

The trace in force is chosen among all rows of a trace (`schemas.trace_in_force`). Its rows may lie
under different days: the root, which came late, began before midnight and the first span after it.
So a reader of some days also reads those rows of other days that could outrank what it reads:
revisions after the first, which are few, and found by the statistics in the files.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from lake.ledger import SourcePartition
from lake.table_log import ASSEMBLY_SEQUENCE, position_app
from lake.tables import Table
from otel.open_traces import ASSEMBLY_SHARDS
from schemas.trace_in_force import IN_FORCE_COLUMNS, mask_first

LATER_REVISION: Final = pc.field("revision") >= 2
"""The condition of rows that replace others of their trace."""


class _Numbers(Protocol):
    """A table or a snapshot: the numbers in its log."""

    def txn_version(self, app: str) -> int | None: ...


def has_assembled_rows(traces: _Numbers) -> bool:
    """Return whether table ``traces`` ever had rows that were assembled from spans.

    RetryableError if the log cannot be read.
    """
    return any(
        traces.txn_version(position_app(SourcePartition(ASSEMBLY_SEQUENCE, shard))) is not None
        for shard in range(ASSEMBLY_SHARDS)
    )


def read_first_rows(
    traces: Table,
    trace_ids: Collection[str],
    columns: Collection[str] = (),
    days: pc.Expression | None = None,
) -> Mapping[str, Mapping[str, Any]]:
    """Return the row that counts for each of these traces, as of the table's last refresh.

    The rows have ``columns`` besides those of the rule. One with ``duplicate_of`` is not in force.
    ``days`` restricts what is read, besides later revisions. RetryableError as `lake.tables`.
    """
    ids = pa.array(sorted(trace_ids), pa.string())
    condition = None if days is None else days | LATER_REVISION
    names = list(dict.fromkeys([*IN_FORCE_COLUMNS, *columns]))
    parts = [
        batch.filter(pc.is_in(batch.column("trace_id"), value_set=ids))
        for batch in traces.batches(names, condition)
    ]
    if not parts:
        return {}
    rows = pa.Table.from_batches(parts)
    return {row["trace_id"]: row for row in rows.filter(pa.array(mask_first(rows))).to_pylist()}


def read_repeating_traces(traces: Table) -> frozenset[str]:
    """Return the traces without a row in force, since they repeat another one; else as above."""
    marked = {
        trace_id
        for batch in traces.batches(("trace_id",), pc.field("duplicate_of").is_valid())
        for trace_id in batch.column("trace_id").to_pylist()
    }
    if not marked:
        return frozenset()
    first = read_first_rows(traces, marked)
    return frozenset(t for t, row in first.items() if row["duplicate_of"] is not None)
