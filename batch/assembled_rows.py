"""Which rows of table ``traces`` may replace rows of other days: later revisions.

The trace in force is chosen among all rows of a trace (`schemas.trace_in_force`). Its rows may lie
under different days: the root, which came late, began before midnight and the first span after it.
So a reader of some days also reads those rows of other days that could outrank what it reads:
revisions after the first, which are few, and found by the statistics in the files.
"""

from typing import Final, Protocol

import pyarrow.compute as pc

from lake.ledger import SourcePartition
from lake.table_log import ASSEMBLY_SEQUENCE, position_app
from otel.open_traces import ASSEMBLY_SHARDS

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
