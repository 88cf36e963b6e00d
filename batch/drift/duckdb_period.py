"""Runs the counts of a period on DuckDB, in this process.

Its memory is limited; it spills the rest to the caller's folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import ibis
import pyarrow as pa

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb
from batch.drift.period_engine import PLAIN_TABLES, DayRange, PinnedTables, days_to_read
from batch.lake_in_duckdb import show_dataset
from batch.traces_in_force_view import create_plain_traces_view, create_traces_view
from lake.snapshot import TableSnapshot
from schemas.errors import FatalError, RetryableError

_MISSING_FILE: Final = ("FileNotFoundError", "[errno 2]", "No files found", "No such file")
"""How delta-rs, Arrow for a folder, and DuckDB itself report a missing file."""


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
        self._run(f"CREATE TEMP TABLE {name} AS {_sql_of(query.op())}")

    def give(self, name: str, rows: pa.Table) -> None:
        """Show queries a small table."""
        self._connection.register(name, rows)

    def ask(self, query: Any) -> pa.Table:
        """Return the rows of a query."""
        with _duckdb_errors():
            return self._connection.sql(_sql_of(query.op())).to_arrow_table()

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        with _duckdb_errors():
            return self._connection.execute(sql).fetchall()


@lru_cache(maxsize=64)
def _sql_of(query: Any) -> str:
    # Writing the SQL takes longer than running it on few rows, and both periods ask alike.
    return str(ibis.to_sql(query.to_expr(), dialect="duckdb", pretty=False))


@contextmanager
def _duckdb_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise FatalError(
            "counting exceeded its memory limit: compare fewer days, or raise the limit with "
            "--memory-mib"
        ) from None
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        if not any(sign in str(error) for sign in _MISSING_FILE):
            raise
        raise RetryableError(
            "files of a table that is read here are missing (vacuum, retention or an erasure "
            "removed them)"
        ) from None
