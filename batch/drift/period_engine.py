"""The protocol of engines that run the counts of a period, and the tables that they read.

All tables of a comparison are pinned when it begins, so that both periods and both engines see the
same rows.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa

from lake.snapshot import TableSnapshot, open_snapshot
from lake.tables import Lake
from schemas.arrow import (
    AUDIT_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    SPANS_TABLE,
)
from schemas.times import shift_day

TRACES: Final = "traces"
"""The name of the traces in force, as queries see them."""

PLAIN_TABLES: Final = (LABELS_TABLE, QUARANTINE_TABLE, AUDIT_TABLE, SPANS_TABLE)
"""The tables of which queries see every row of the days."""

_CLOCK_DAYS: Final = 2  # a label is younger than its trace, unless clocks are wrong

PinnedTables = Mapping[str, TableSnapshot]
"""The snapshots of a comparison, by the name of the table."""


class DayRange(NamedTuple):
    """A range of days (UTC), both ends included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


class PeriodEngine(Protocol):
    """Answers queries over the days of one period. Queries are Ibis expressions.

    It shows them the tables `TRACES` (rows in force), `REPEATING_TRACES` and `PLAIN_TABLES`.
    """

    def keep(self, name: str, query: Any) -> object:
        """Compute a query once, and show its rows as a table of this name."""

    def give(self, name: str, rows: pa.Table) -> object:
        """Show queries a small table."""

    def table(self, query: Any) -> pa.Table:
        """Return the rows of a query as an Arrow table."""


OpenPeriod = Callable[[PinnedTables, DayRange, int], AbstractContextManager[PeriodEngine]]
"""Opens an engine on a period; the number is that of the days after which labels are settled."""


def pin_tables(lake: Lake) -> PinnedTables:
    """Return the newest snapshot of each table that is counted; raises as `open_snapshot`."""
    names = dict.fromkeys([*PRIMARY_TABLES, *PLAIN_TABLES])
    return {name: open_snapshot(lake, name) for name in names}


def days_to_read(name: str, days: DayRange, settled_days: int) -> tuple[date, date]:
    """Return the days of a table that the counts of a period need."""
    first, last = days
    if name == LABELS_TABLE:
        return shift_day(first, -_CLOCK_DAYS), shift_day(last, settled_days + 1)
    return first, last
