"""Runs the selection on DuckDB, in this process, over the files of two snapshots.

DuckDB reads only files of the days in the window, and of those only the columns and row groups that
a query needs (`batch.lake_in_duckdb`). Each question is one pass over them. It spills to a
temporary folder rather than exceed its memory limit.

Few traces and labels have several rows, so those are found once, and only they are put in order.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypedDict, cast

import duckdb
import ibis
import pyarrow as pa
import pyarrow.dataset as ds

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb
from batch.lake_in_duckdb import show_dataset
from batch.release.format.rows import TRACE_COLUMNS
from batch.release.sampling import selection_query
from batch.release.sampling.allocation import Stratum
from batch.release.sampling.columns import stratum_values
from batch.release.sampling.passes import count_passes, rows_of_pass
from batch.release.sampling.row_fetcher import RowCoordinates, fetch_rows
from batch.release.sampling.selection_query import (
    COORDINATES,
    LABEL_COLUMNS,
    rows_in,
    rows_outside,
)
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import CellSize, SamplingCell
from batch.traces_in_force_view import STORED_TRACES, create_traces_view
from lake.datasets import local_paths
from lake.snapshot import TableSnapshot
from schemas.arrow import PROVENANCE, TABLES, TIMESTAMP_US
from schemas.errors import FatalError, UsageError
from schemas.times import shift_day
from schemas.trace_in_force import IN_FORCE_COLUMNS

_ALL_TRACES: Final = "all_traces"
SYNTHETIC_TABLE: Final = "synthetic_rows"
_CLOCK_DAYS: Final = 2  # a label is older than its trace only if a clock is wrong


def unbound_table(name: str) -> Any:
    """Return a table of the lake as an Ibis table that is not bound to an engine.

    ``all_…`` is the same table, not limited to the window. ``stored_…`` has also the
    rows that are not in force.
    """
    schema = TABLES[name.removeprefix("all_").removeprefix("stored_")].arrow
    return _ibis_table(schema, name)


def _ibis_table(schema: pa.Schema, name: str) -> Any:
    return ibis.table({field.name: _ibis_type(field.type) for field in schema}, name=name)


def _ibis_type(arrow: pa.DataType) -> str:
    if pa.types.is_map(arrow):
        return f"map<{_ibis_type(arrow.key_type)}, {_ibis_type(arrow.item_type)}>"
    if pa.types.is_list(arrow):
        return f"array<{_ibis_type(arrow.value_type)}>"
    if pa.types.is_struct(arrow):
        fields = ", ".join(f"{f.name}: {_ibis_type(f.type)}" for f in arrow)
        return f"struct<{fields}>"
    return _PLAIN_TYPES[arrow]


_PLAIN_TYPES: Final = {
    pa.string(): "string",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float64(): "float64",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    TIMESTAMP_US: "timestamp('UTC', 6)",
}


def cells_expression(spec: ReleaseSpec) -> Any:
    """Return the query up to the cells, over unbound tables ``traces`` and ``labels``."""
    candidates = selection_query.candidates(spec, unbound_table("traces"), unbound_table("labels"))
    return selection_query.cells(spec, candidates)


_IDS: Final = pa.schema([("trace_id", pa.string())])
_COORDINATES: Final = pa.schema([PROVENANCE.field(name) for name in COORDINATES])
_LIMITS: Final = pa.schema([("stratum", pa.string()), ("below", pa.string())])
_LABELS: Final = pa.schema([TABLES["labels"].arrow.field(name) for name in LABEL_COLUMNS])
_ROWS: Final = pa.schema([TABLES["traces"].arrow.field(name) for name in TRACE_COLUMNS])
_CLUSTERS: Final = pa.schema([("cluster", pa.string())])


@lru_cache(maxsize=128)
def _as_sql(query: Any) -> str:
    # On a small lake this takes as long as to run the query, and releases of one spec ask alike.
    return str(ibis.to_sql(query.to_expr(), dialect="duckdb"))


_MISSING_FILE: Final = ("FileNotFoundError", "[errno 2]", "No files found", "No such file")
"""How delta-rs, Arrow for a folder, and DuckDB itself report a missing file."""


class LabelRow(TypedDict):
    """The label event in force of a trace."""

    label_event_id: str
    trace_id: str
    revision: int
    label: str
    p_fail: float
    expected_response: str | None
    route: str
    policy_version: str
    decided_at: datetime


class LocatedTrace(NamedTuple):
    """A trace that the spec names, with its redaction policy, cluster and coordinates."""

    trace_id: str
    policy: str
    cluster: str
    coordinates: RowCoordinates


class SelectionEngine:
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
        self._connection = connect_duckdb(folder, memory_bytes)
        self._memory_bytes = memory_bytes
        self._spec = spec
        self._traces = traces
        self._labels = labels
        self._shown: dict[str, ds.Dataset | None] = {}
        self.is_assembled = has_assembled_rows(traces)
        """Whether the view ``traces`` has the rows in force only, one of each trace."""
        self.repeated_traces: Any | None = None
        """The ids that have several rows in view ``traces``; None if there are none."""
        self.labels_in_force: Any = unbound_table("labels").select(*LABEL_COLUMNS)
        self._outranked: Any | None = None
        self._label_days: tuple[date, date] | None = None
        self._passes = count_passes(traces.row_count(spec.window.days), memory_bytes)

    def __enter__(self) -> Self:
        days = first, _ = self._spec.window.days
        if self._labels.as_of is not None:
            until = shift_day(self._labels.as_of.date(), _CLOCK_DAYS)
            self._label_days = shift_day(first, -_CLOCK_DAYS), until
        if self.is_assembled:
            with _lake_errors():
                create_traces_view(self._connection, self._traces, days, self._run)
            self._shown[STORED_TRACES] = self._traces.dataset(days)
        else:
            self._show(STORED_TRACES, self._traces.dataset(days))
            self._run(f"CREATE TEMP VIEW traces AS SELECT * FROM {STORED_TRACES}")  # noqa: S608 - names of this program
            self._find_repeated_traces()
        self._show("labels", self._labels.dataset(self._label_days))
        self._find_repeated_labels()
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

    def _find_repeated_labels(self) -> None:
        """Find the traces with several label events, and the one in force of each."""
        labels = self.labels_in_force
        passes = count_passes(self._labels.row_count(self._label_days), self._memory_bytes)
        repeated = self._repeated_ids(labels, "repeated_labels", passes)
        if repeated is None:
            return
        needed = labels.select(*selection_query.label_columns(self._spec))
        revised = selection_query.labels_in_force(rows_in(needed, repeated))
        kept = self._keep("revised_labels", _LABELS, revised)
        if kept is not None:
            once = rows_outside(needed, repeated)
            self.labels_in_force = once.union(kept.select(*needed.columns))

    def _repeated_ids(self, rows: Any, name: str, passes: int) -> Any | None:
        parts = (rows_of_pass(rows, rows.trace_id, number, passes) for number in range(passes))
        return self._keep(name, _IDS, *map(selection_query.repeated_ids, parts))

    def _keep(self, name: str, schema: pa.Schema, query: Any, *more: Any) -> Any | None:
        """Run queries into a table of this name; return it, or None if it has no rows."""
        self._run(f"CREATE TEMP TABLE {name} AS {_as_sql(query.op())}")
        for other in more:
            self._run(f"INSERT INTO {name} {_as_sql(other.op())}")
        if not self._run(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608 - names of this program
            return None
        return _ibis_table(schema, name)

    def _give(self, name: str, schema: pa.Schema, columns: Mapping[str, Sequence[Any]]) -> Any:
        """Register a small table and return it for queries."""
        self._connection.register(name, pa.table(columns, schema=schema))
        return _ibis_table(schema, name)

    def _candidates(self, clusters: Any | None = None, number: int = 0, passes: int = 1) -> Any:
        """Return the candidates, or those of the clusters in a table, or those of one pass."""
        spec = self._spec
        columns = selection_query.trace_columns(spec)
        rows = selection_query.in_window(spec, unbound_table("traces").select(*columns))
        rows = rows.filter(rows.duplicate_of.isnull())
        if self._outranked is not None:
            rows = rows_outside(rows, self._outranked, COORDINATES)
        if clusters is not None:
            rows = rows.mutate(cluster=selection_query.cluster_of(spec, rows))
            rows = rows_in(rows, clusters, ["cluster"]).drop("cluster")
        rows = rows_of_pass(rows, selection_query.cluster_of(spec, rows), number, passes)
        return selection_query.candidates_in_force(spec, rows, self.labels_in_force)

    def strata(self) -> list[Stratum]:
        """Return the strata that have cells, sorted by their text."""
        columns, passes = self._spec.strata, 1 if self._spec.one_per == "trace" else self._passes
        counted: dict[str, Counter[str]] = {}
        for number in range(passes):
            candidates = self._candidates(number=number, passes=passes)
            for row in self.ask(selection_query.strata(self._spec, candidates)):
                counts = {name: int(row[name]) for name in ("traces", "cells", "represents")}
                counted.setdefault(row["stratum"], Counter()).update(counts)
        return [
            Stratum(
                text,
                stratum_values(text, columns),
                counts["traces"],
                counts["cells"],
                counts["represents"] / selection_query.SAMPLING_UNITS,
            )
            for text, counts in sorted(counted.items())
        ]

    def first_cells(self, limits: Mapping[str, str | None]) -> list[SamplingCell]:
        """Return the cells of each stratum whose hash is below its limit."""
        if not limits:
            return []
        below = [limit or selection_query.ABOVE_ALL_HASHES for limit in limits.values()]
        table = self._give("limits", _LIMITS, {"stratum": list(limits), "below": below})
        rows = self.ask(selection_query.first_cells(self._spec, self._candidates(), table))
        return [
            SamplingCell(**{name.removeprefix("_"): value for name, value in row.items()})
            for row in rows
        ]

    def cells_of(self, clusters: Collection[str]) -> list[CellSize]:
        """Return the size of every cell of these clusters."""
        if not clusters:
            return []
        table = self._give("chosen_clusters", _CLUSTERS, {"cluster": sorted(clusters)})
        rows = self.ask(selection_query.cells_of(self._candidates(table)))
        return [CellSize(**row) for row in rows]

    def labels_of(self, trace_ids: Sequence[str]) -> dict[str, LabelRow]:
        """Return the label events in force of these traces; they may be older than the window."""
        self._show("all_labels", self._labels.dataset())
        table = self._give("chosen_traces", _IDS, {"trace_id": list(trace_ids)})
        rows = self.ask(selection_query.labels_of(unbound_table("all_labels"), table))
        return {row["trace_id"]: cast("LabelRow", row) for row in rows}

    def named(self) -> dict[str, LocatedTrace]:
        """Return the traces that the spec names, by their id, as far as they exist."""
        if not self._spec.named:
            return {}
        self._show(_ALL_TRACES, self._traces.dataset())
        rows = self.ask(selection_query.named_traces(self._spec, unbound_table(_ALL_TRACES)))
        return {
            row["trace_id"]: LocatedTrace(
                row["trace_id"],
                row["_policy"],
                row["cluster"],
                RowCoordinates(row["_topic"], row["_partition"], row["_offset"]),
            )
            for row in rows
        }

    def strata_of(self, rows: pa.Table) -> dict[str, str]:
        """Return the text of the stratum of each synthetic row that meets the spec's `where`.

        ``rows`` have the columns of traces, and those that come from the label event.
        """
        self._connection.register(SYNTHETIC_TABLE, rows)
        table = _ibis_table(rows.schema, SYNTHETIC_TABLE)
        strata = self.ask(selection_query.synthetic_strata(self._spec, table))
        return {row["trace_id"]: row["stratum"] for row in strata}

    def policies(self) -> dict[str, int]:
        """Return how many traces of the window were stored under each redaction policy."""
        rows = self.ask(selection_query.count_by_policy(self._spec, unbound_table("traces")))
        return {row["_policy"]: row["traces"] for row in sorted(rows, key=lambda r: r["_policy"])}

    def fetch(
        self, coordinates: Collection[RowCoordinates], *, anywhere: bool = False
    ) -> list[pa.Table]:
        """Return the rows that exist at coordinates, in the days of the window or ``anywhere``."""
        if not coordinates:
            return []
        name = _ALL_TRACES if anywhere else STORED_TRACES
        self._show(name, self._traces.dataset())
        dataset = self._shown[name]
        if local_paths(dataset) is None:
            return fetch_rows(dataset, coordinates, TRACE_COLUMNS)
        columns = dict(zip(COORDINATES, zip(*coordinates, strict=True), strict=True))
        table = self._give("chosen_rows", _COORDINATES, columns)
        rows = rows_in(unbound_table(name), table, COORDINATES)
        found = self._table(_as_sql(rows.select(*TRACE_COLUMNS).op()))
        return [found.cast(_ROWS)]  # DuckDB names the time zone as the machine does

    def ask(self, expression: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables (`unbound_table`).

        Raises FatalError if it needs more memory than allowed, UsageError for missing files.
        """
        return self._run(_as_sql(expression.op()))

    def _run(self, sql: str) -> list[dict[str, Any]]:
        return list(self._table(sql).to_pylist())

    def _table(self, sql: str) -> pa.Table:
        with _lake_errors():
            relation = self._connection.sql(sql)  # None if a statement returns no rows
            return pa.table({}) if relation is None else relation.to_arrow_table()


@contextmanager
def _lake_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise FatalError(
            "the selection needs more memory than it may use: narrow the window or the filters "
            "of the spec, or allow more with --memory-mib"
        ) from None
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        if not any(sign in str(error) for sign in _MISSING_FILE):
            raise
        raise UsageError(
            "files of a table version that is read here are missing (vacuum, retention or an "
            "erasure removed them): name later versions, or none"
        ) from None
