"""Runs the selection on DuckDB, in this process, over the files of two snapshots.

DuckDB reads only files of the days in the window, and of those only the columns and row groups that
a query needs (`batch.lake_in_duckdb`). Each question is one pass over them. It spills to a
temporary folder rather than exceed its memory limit.

Few traces and labels have several rows, so those are found once, and only they are put in order.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.dataset as ds

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb
from batch.engines.duckdb_queries import as_duckdb_sql, duckdb_errors
from batch.engines.missing_files import missing_files
from batch.engines.unbound_tables import table_of_schema, unbound_table
from batch.lake_in_duckdb import show_dataset
from batch.release.format.rows import TRACE_COLUMNS
from batch.release.sampling import selection_query
from batch.release.sampling.ibis_engine import ALL_LABELS, ALL_TRACES, IDS, IbisEngine, label_days
from batch.release.sampling.passes import count_passes, rows_of_pass
from batch.release.sampling.row_fetcher import RowCoordinates, fetch_rows
from batch.release.sampling.selection_query import (
    COORDINATES,
    LABEL_COLUMNS,
    rows_in,
    rows_outside,
)
from batch.release.sampling.spec import ReleaseSpec
from batch.traces_in_force_view import STORED_TRACES, create_traces_view
from lake.datasets import local_paths
from lake.snapshot import TableSnapshot
from schemas.arrow import PROVENANCE, TABLES
from schemas.trace_in_force import IN_FORCE_COLUMNS

_COORDINATES: Final = pa.schema([PROVENANCE.field(name) for name in COORDINATES])
_LABELS: Final = pa.schema([TABLES["labels"].arrow.field(name) for name in LABEL_COLUMNS])
_ROWS: Final = pa.schema([TABLES["traces"].arrow.field(name) for name in TRACE_COLUMNS])


_TOO_LARGE: Final = (
    "the selection needs more memory than it may use: narrow the window or the filters of the "
    "spec, or allow more with --memory-mib"
)


class DuckDbEngine(IbisEngine):
    """One selection on DuckDB. Use it as a context; the caller owns the temporary folder."""

    def __init__(
        self,
        spec: ReleaseSpec,
        traces: TableSnapshot,
        labels: TableSnapshot,
        *,
        folder: Path,
        memory_bytes: int,
    ) -> None:
        super().__init__(spec, count_passes(traces.row_count(spec.window.days), memory_bytes))
        self._memory_bytes = memory_bytes
        self._connection = connect_duckdb(folder, memory_bytes)
        self._traces = traces
        self._labels = labels
        self._shown: dict[str, ds.Dataset | None] = {}
        self.is_assembled = has_assembled_rows(traces)
        """Whether the view ``traces`` has the rows in force only, one of each trace."""
        self.repeated_traces: Any | None = None
        """The ids that have several rows in view ``traces``; None if there are none."""
        self._labels_in_force: Any = unbound_table("labels").select(*LABEL_COLUMNS)
        self._outranked: Any | None = None

    def __enter__(self) -> Self:
        days = self._spec.window.days
        if self.is_assembled:
            with _lake_errors():
                create_traces_view(self._connection, self._traces, days, self._run)
            self._shown[STORED_TRACES] = self._traces.dataset(days)
        else:
            self._show(STORED_TRACES, self._traces.dataset(days))
            self._run(f"CREATE TEMP VIEW traces AS SELECT * FROM {STORED_TRACES}")  # noqa: S608 - names of this program
            self._find_repeated_traces()
        from_days = label_days(self._spec, self._labels)
        self._show("labels", self._labels.dataset(from_days))
        self._find_repeated_labels(self._labels.row_count(from_days))
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _show(self, name: str, dataset: ds.Dataset) -> None:
        if name not in self._shown:
            with _lake_errors():
                show_dataset(self._connection, name, dataset)
            self._shown[name] = dataset

    def _find_repeated_traces(self) -> None:
        """Find the traces that were sent again within the window, and the rows that do not count.

        Rows that came as records only are chosen among those of the window.
        """
        traces = selection_query.in_window(self._spec, unbound_table("traces"))
        repeated = self._repeated_ids(traces, "repeated_traces", self._passes)
        if repeated is not None:
            again = rows_in(traces.select(*IN_FORCE_COLUMNS), repeated)
            rows = selection_query.outranked(again)
            self._outranked = self._keep("outranked", _COORDINATES, rows)
            self.repeated_traces = repeated

    def _find_repeated_labels(self, rows: int) -> None:
        """Find the traces with several label events, and the one in force of each."""
        labels = self._labels_in_force
        passes = count_passes(rows, self._memory_bytes)
        repeated = self._repeated_ids(labels, "repeated_labels", passes)
        if repeated is None:
            return
        needed = labels.select(*selection_query.label_columns(self._spec))
        revised = selection_query.labels_in_force(rows_in(needed, repeated))
        kept = self._keep("revised_labels", _LABELS, revised)
        if kept is not None:
            once = rows_outside(needed, repeated)
            self._labels_in_force = once.union(kept.select(*needed.columns))

    def _repeated_ids(self, rows: Any, name: str, passes: int) -> Any | None:
        parts = (rows_of_pass(rows, rows.trace_id, number, passes) for number in range(passes))
        return self._keep(name, IDS, *map(selection_query.repeated_ids, parts))

    def _keep(self, name: str, schema: pa.Schema, query: Any, *more: Any) -> Any | None:
        """Run queries into a table of this name; return it, or None if it has no rows."""
        self._run(f"CREATE TEMP TABLE {name} AS {as_duckdb_sql(query)}")
        for other in more:
            self._run(f"INSERT INTO {name} {as_duckdb_sql(other)}")
        if not self._run(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608 - names of this program
            return None
        return table_of_schema(schema, name)

    def _give(self, name: str, rows: pa.Table) -> Any:
        self._connection.register(name, rows)
        return table_of_schema(rows.schema, name)

    def _show_all(self, name: str) -> Any:
        table = self._labels if name == ALL_LABELS else self._traces
        self._show(name, table.dataset())
        return unbound_table(name)

    @property
    def labels_in_force(self) -> Any:
        """A query for the label event in force of each trace."""
        return self._labels_in_force

    def _rows_in_force(self, columns: Sequence[str]) -> Any:
        rows = selection_query.in_window(self._spec, unbound_table("traces").select(*columns))
        rows = rows.filter(rows.duplicate_of.isnull())
        if self._outranked is not None:
            rows = rows_outside(rows, self._outranked, COORDINATES)
        return rows

    def fetch(
        self, coordinates: Collection[RowCoordinates], *, anywhere: bool = False
    ) -> list[pa.Table]:
        """Return the rows that exist at coordinates, in the days of the window or ``anywhere``."""
        if not coordinates:
            return []
        name = ALL_TRACES if anywhere else STORED_TRACES
        self._show(name, self._traces.dataset())
        dataset = self._shown[name]
        if local_paths(dataset) is None:
            return fetch_rows(dataset, coordinates, TRACE_COLUMNS)
        columns = dict(zip(COORDINATES, zip(*coordinates, strict=True), strict=True))
        table = self._give("chosen_rows", pa.table(columns, schema=_COORDINATES))
        rows = rows_in(unbound_table(name), table, COORDINATES)
        found = self._table(as_duckdb_sql(rows.select(*TRACE_COLUMNS)))
        return [found.cast(_ROWS)]  # DuckDB names the time zone as the machine does

    def ask(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables (`batch.engines.unbound_tables`).

        Raises FatalError if it needs more memory than allowed, UsageError for missing files.
        """
        return self._run(as_duckdb_sql(query))

    def _run(self, sql: str) -> list[dict[str, Any]]:
        return list(self._table(sql).to_pylist())

    def _table(self, sql: str) -> pa.Table:
        with _lake_errors():
            relation = self._connection.sql(sql)  # None if a statement returns no rows
            return pa.table({}) if relation is None else relation.to_arrow_table()


def _lake_errors() -> AbstractContextManager[None]:
    return duckdb_errors(too_large=_TOO_LARGE, missing=missing_files())
