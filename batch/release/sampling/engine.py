"""Runs the selection on DuckDB, in this process, over the files of two snapshots.

DuckDB reads a table as a pyarrow dataset: only files of the days in the window, and of those only
the columns and row groups that the query needs. It spills to a temporary folder rather than exceed
its memory limit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypedDict, cast

import duckdb
import ibis
import pyarrow as pa

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb
from batch.release.sampling import selection_query
from batch.release.sampling.allocation import Stratum
from batch.release.sampling.columns import stratum_values
from batch.release.sampling.row_fetcher import RowCoordinates
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import CellSize, SamplingCell
from batch.traces_in_force_view import STORED_TRACES, create_traces_view
from lake.snapshot import TableSnapshot
from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.errors import FatalError, UsageError
from schemas.times import shift_day

CELL_TABLE: Final = "cells"
SYNTHETIC_TABLE: Final = "synthetic_rows"
_CLOCK_DAYS: Final = 2  # a label is older than its trace only if a clock is wrong


def unbound_table(name: str) -> Any:
    """Return a table of the lake as an Ibis table that is not bound to an engine.

    ``all_…`` is the same table, not limited to the window. ``stored_…`` has also the
    rows that are not in force.
    """
    schema = TABLES[name.removeprefix("all_").removeprefix("stored_")].arrow
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


CELL_SCHEMA: Final = ibis.schema(
    {
        "stratum": "string",
        "cluster": "string",
        "traces": "int64",
        "trace_id": "string",
        "session_id": "string",
        "user_id": "string",
        "_topic": "string",
        "_partition": "int32",
        "_offset": "int64",
        "sampling_probability": "float64",
        "represents": "int64",
        "draw": "string",
    }
)


@lru_cache(maxsize=128)
def _as_sql(query: Any) -> str:
    # On a small lake this takes as long as to run the query, and releases of one spec ask alike.
    return str(ibis.to_sql(query.to_expr(), dialect="duckdb"))


_MISSING_FILE: Final = ("FileNotFoundError", "[errno 2]")
"""How delta-rs, and Arrow for a folder, report a missing file."""


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
        first, last = spec.window.days
        label_days = None
        if labels.as_of is not None:
            until = shift_day(labels.as_of.date(), _CLOCK_DAYS)
            label_days = shift_day(first, -_CLOCK_DAYS), until
        self._register_traces(traces, (first, last))
        self._connection.register("labels", labels.dataset(label_days))
        self._connection.register("all_traces", traces.dataset())
        self._connection.register("all_labels", labels.dataset())
        self._spec = spec
        self._cells = ibis.table(CELL_SCHEMA, name=CELL_TABLE)

    def _register_traces(self, traces: TableSnapshot, days: tuple[date, date]) -> None:
        """Register the traces of the window's days; the rows in force only, if any was assembled.

        Rows that came as records only are chosen by the selection, among those of the window.
        """
        if has_assembled_rows(traces):
            create_traces_view(self._connection, traces, days, self._run)
            return
        window = traces.dataset(days)
        self._connection.register(STORED_TRACES, window)
        self._connection.register("traces", window)

    def __enter__(self) -> Self:
        query = _as_sql(cells_expression(self._spec).op())
        self._run(f"CREATE TEMP TABLE {CELL_TABLE} AS {query}")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def strata(self) -> list[Stratum]:
        """Return the strata that have cells, sorted by their text."""
        columns = self._spec.strata
        strata = [
            Stratum(
                row["stratum"],
                stratum_values(row["stratum"], columns),
                int(row["traces"]),
                int(row["cells"]),
                int(row["represents"]) / selection_query.SAMPLING_UNITS,
            )
            for row in self.ask(selection_query.strata(self._cells))
        ]
        return sorted(strata, key=lambda stratum: stratum.text)

    def first_cells(self, limits: Mapping[str, str | None]) -> list[SamplingCell]:
        """Return the cells of each stratum whose hash is below its limit."""
        if not limits:
            return []
        rows = self.ask(selection_query.first_cells(self._cells, limits))
        return [
            SamplingCell(**{name.removeprefix("_"): value for name, value in row.items()})
            for row in rows
        ]

    def cells_of(self, clusters: Collection[str]) -> list[CellSize]:
        """Return the size of every cell of these clusters."""
        if not clusters:
            return []
        rows = self.ask(selection_query.cells_of(self._cells, sorted(clusters)))
        return [CellSize(**row) for row in rows]

    def labels_of(self, trace_ids: Sequence[str]) -> dict[str, LabelRow]:
        """Return the label events in force of these traces; they may be older than the window."""
        rows = self.ask(selection_query.labels_of(unbound_table("all_labels"), trace_ids))
        return {row["trace_id"]: cast("LabelRow", row) for row in rows}

    def named(self) -> dict[str, LocatedTrace]:
        """Return the traces that the spec names, by their id, as far as they exist."""
        if not self._spec.named:
            return {}
        rows = self.ask(selection_query.named_traces(self._spec, unbound_table("all_traces")))
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
        schema = {field.name: _ibis_type(field.type) for field in rows.schema}
        table = ibis.table(schema, name=SYNTHETIC_TABLE)
        strata = self.ask(selection_query.synthetic_strata(self._spec, table))
        return {row["trace_id"]: row["stratum"] for row in strata}

    def policies(self) -> dict[str, int]:
        """Return how many traces of the window were stored under each redaction policy."""
        rows = self.ask(selection_query.count_by_policy(self._spec, unbound_table("traces")))
        return {row["_policy"]: row["traces"] for row in sorted(rows, key=lambda r: r["_policy"])}

    def ask(self, expression: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables (`unbound_table`).

        Raises FatalError if it needs more memory than allowed, UsageError for missing files.
        """
        return self._run(_as_sql(expression.op()))

    def _run(self, sql: str) -> list[dict[str, Any]]:
        try:
            relation = self._connection.sql(sql)  # None if a statement returns no rows
            rows = [] if relation is None else relation.to_arrow_table().to_pylist()
        except duckdb.OutOfMemoryException:
            raise FatalError(
                "the selection needs more memory than it may use: narrow the window or the filters "
                "of the spec, or allow more with --memory-mib"
            ) from None
        except duckdb.InvalidInputException as error:
            if not any(sign in str(error) for sign in _MISSING_FILE):
                raise
            raise UsageError(
                "files of a table version that is read here are missing (vacuum, retention or an "
                "erasure removed them): name later versions, or none"
            ) from None
        return list(rows)
