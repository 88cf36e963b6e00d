"""Shows DuckDB the traces in force of some days, chosen among the rows of all days.

A trace in force is one of those with the lowest place in the order of `schemas.trace_in_force`.
Most traces have one row, so only the others are put in order: those with several rows in the days,
those with rows of other days that could outrank them (`batch.assembled_rows`), and those that
repeat another trace.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import duckdb
import pyarrow.compute as pc

from batch.assembled_rows import LATER_REVISION
from batch.lake_in_duckdb import show_dataset
from lake.snapshot import TableSnapshot
from schemas.arrow import EVENT_DATE
from schemas.trace_in_force import IN_FORCE_COLUMNS, IN_FORCE_ORDER_SQL, in_force_sql

STORED_TRACES: Final = "stored_traces"
"""The name under which DuckDB knows all rows of the days."""
REPEATING_TRACES: Final = "repeating_traces"
"""The name of a table of trace ids: traces of the days that repeat others."""

_KEYS: Final = ", ".join(IN_FORCE_COLUMNS)
_STATEMENTS: Final = (
    f"""
    CREATE TEMP TABLE several AS
    SELECT {_KEYS}, true AS inside FROM {STORED_TRACES}
    WHERE trace_id IN (
        SELECT trace_id FROM {STORED_TRACES} GROUP BY trace_id HAVING count(*) > 1
        UNION SELECT trace_id FROM other_traces
        WHERE trace_id IN (SELECT trace_id FROM {STORED_TRACES})
    ) OR duplicate_of IS NOT NULL
    """,  # noqa: S608 - names of this program
    f"""
    INSERT INTO several SELECT {_KEYS}, false FROM other_traces
    WHERE trace_id IN (SELECT trace_id FROM several)
    """,  # noqa: S608 - names of this program
    f"""
    CREATE TEMP TABLE not_in_force AS
    SELECT * FROM several WHERE inside
    EXCEPT SELECT *, true FROM ({in_force_sql("several", _KEYS)})
    """,  # noqa: S608 - names of this program
    f"""
    CREATE TEMP TABLE {REPEATING_TRACES} AS
    SELECT trace_id FROM several GROUP BY trace_id
    HAVING first(duplicate_of ORDER BY {IN_FORCE_ORDER_SQL}) IS NOT NULL
    """,  # noqa: S608 - names of this program
)
_ALL_IN_FORCE: Final = f"CREATE TEMP VIEW traces AS SELECT * FROM {STORED_TRACES}"  # noqa: S608
_SOME_IN_FORCE: Final = (
    f"{_ALL_IN_FORCE} ANTI JOIN not_in_force USING (trace_id, _topic, _partition, _offset)"
)


def create_traces_view(
    connection: duckdb.DuckDBPyConnection,
    traces: TableSnapshot,
    days: tuple[date, date],
    run: Callable[[str], Any],
) -> None:
    """Create the view ``traces`` with the rows in force of some days (both included).

    Rows that came as records outrank others of other days too. ``run`` executes a statement.
    """
    day, revision = pc.field(EVENT_DATE), pc.field("revision")
    elsewhere = (day < days[0]) | (day > days[1])
    outranking = revision.is_null() | LATER_REVISION
    show_dataset(connection, STORED_TRACES, traces.dataset(days))
    connection.register("other_traces", traces.dataset().filter(elsewhere & outranking))
    _create_view(connection, run)


def create_plain_traces_view(
    connection: duckdb.DuckDBPyConnection,
    traces: TableSnapshot,
    days: tuple[date, date],
    run: Callable[[str], Any],
) -> None:
    """Create the view as above for a table without assembled rows: only the days are read."""
    dataset = traces.dataset(days)
    show_dataset(connection, STORED_TRACES, dataset)
    connection.register("other_traces", dataset.schema.empty_table())
    _create_view(connection, run)


def _create_view(connection: duckdb.DuckDBPyConnection, run: Callable[[str], Any]) -> None:
    for statement in _STATEMENTS:
        run(statement)
    are_all = not connection.execute("SELECT 1 FROM not_in_force LIMIT 1").fetchall()
    run(_ALL_IN_FORCE if are_all else _SOME_IN_FORCE)
