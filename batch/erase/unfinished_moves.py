"""Moves between quarantine and a table that were begun and not ended: they must come first.

In the middle of one a record is in both tables, and the ledger waits for the other half.
"""

from collections import Counter

from lake.ledger import SourcePartition, rows_from_quarantine
from lake.tables import Lake, Table
from schemas.arrow import PRIMARY_TABLES, QUARANTINE_TABLE


def find_unfinished_moves(lake: Lake) -> list[SourcePartition]:
    """Return the partitions of which records are on their way, as of the tables' last refresh."""
    came = Counter[SourcePartition]()
    for name in PRIMARY_TABLES:
        came.update(_moved(lake.table(name)))
    left = _moved(lake.table(QUARANTINE_TABLE))
    return sorted(source for source in {*came, *left} if came[source] != left[source])


def _moved(table: Table) -> Counter[SourcePartition]:
    counts = Counter[SourcePartition]()
    for logged in table.ledger():
        for item in logged.entry.ranges:
            counts[item.source] += rows_from_quarantine(logged.entry.kind, item)
    return counts
