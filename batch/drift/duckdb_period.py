"""Runs the counts of a period on DuckDB, in this process.

Its memory is limited; it spills the rest to the caller's folder.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb, remove_stale_temp_dirs, temp_dir, temp_root
from batch.drift.period_engine import (
    PLAIN_TABLES,
    DayRange,
    PeriodEngine,
    PinnedTables,
    days_to_read,
)
from batch.engines.duckdb_queries import as_duckdb_sql, duckdb_errors
from batch.lake_in_duckdb import show_dataset
from batch.traces_in_force_view import create_plain_traces_view, create_traces_view
from lake.snapshot import TableSnapshot
from schemas.errors import RetryableError

_TOO_LARGE: Final = (
    "counting exceeded its memory limit: compare fewer days, or raise the limit with --memory-mib"
)


@contextmanager
def open_duckdb_period(
    tables: PinnedTables, days: DayRange, settled_days: int, *, memory_bytes: int
) -> Iterator[PeriodEngine]:
    """Open a period on DuckDB, in this process, with half of the memory: there may be two."""
    remove_stale_temp_dirs(temp_root())
    with (
        temp_dir(temp_root()) as folder,
        DuckDbPeriod(
            tables, days, settled_days, folder=folder, memory_bytes=memory_bytes // 2
        ) as period,
    ):
        yield period


class DuckDbPeriod:
    """A period on DuckDB (`batch.drift.period_engine.PeriodEngine`). Use it as a context."""

    def __init__(
        self,
        tables: PinnedTables,
        days: DayRange,
        settled_days: int,
        *,
        folder: Path,
        memory_bytes: int,
    ) -> None:
        self._tables = tables
        self._days = days
        self._settled = settled_days
        self._connection = connect_duckdb(folder, memory_bytes)

    def __enter__(self) -> Self:
        with _duckdb_errors():
            # Each query opens all files: their footers are read once.
            self._connection.execute("SET parquet_metadata_cache = true")
            for name in PLAIN_TABLES:
                days = days_to_read(name, self._days, self._settled)
                show_dataset(self._connection, name, self._tables[name].dataset(days))
            self._show_traces(self._tables["traces"])
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _show_traces(self, traces: TableSnapshot) -> None:
        view = create_traces_view if has_assembled_rows(traces) else create_plain_traces_view
        view(self._connection, traces, self._days, self._run)

    def keep(self, name: str, query: Any) -> None:
        """Compute a query once, and show its rows as a table of this name."""
        self._run(f"CREATE TEMP TABLE {name} AS {as_duckdb_sql(query)}")

    def give(self, name: str, rows: pa.Table) -> None:
        """Show queries a small table."""
        self._connection.register(name, rows)

    def table(self, query: Any) -> pa.Table:
        """Return the rows of a query as an Arrow table."""
        with _duckdb_errors():
            return self._connection.sql(as_duckdb_sql(query)).to_arrow_table()

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        with _duckdb_errors():
            return self._connection.execute(sql).fetchall()


def _duckdb_errors() -> AbstractContextManager[None]:
    missing = RetryableError(
        "files of a table that is read here are missing (vacuum, retention or an erasure removed "
        "them)"
    )
    return duckdb_errors(too_large=_TOO_LARGE, missing=missing)
