"""Runs the selection on DuckDB, in this process, over the files of the snapshots it is given.

What DuckDB sees of a table is a pyarrow dataset: files of the days in the window only, and of those
only the columns and row groups that the query asks for. It spills to a temporary folder rather than
use more memory than it is given.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import ibis
import pyarrow as pa

from batch.bounded_duckdb import connect_duckdb
from batch.release.sampling import selection_query
from batch.release.sampling.spec import ReleaseSpec
from lake.snapshot import TableSnapshot
from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.errors import FatalError, UsageError
from schemas.times import shift_day

CELL_TABLE: Final = "cells"
SYNTHETIC_TABLE: Final = "synthetic_rows"
_CLOCKS: Final = 2  # a label cannot be older than its trace, but for wrong clocks


def unbound_table(name: str) -> Any:
    """Return a table of the lake as an Ibis table that is bound to no engine.

    ``all_…`` is the same table without regard to time.
    """
    schema = TABLES[name.removeprefix("all_")].arrow
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
    pa.date32(): "date",
    TIMESTAMP_US: "timestamp('UTC', 6)",
}


def cells_expression(spec: ReleaseSpec) -> Any:
    """Return the query up to the cells, over unbound tables ``traces`` and ``labels``."""
    found = selection_query.candidates(spec, unbound_table("traces"), unbound_table("labels"))
    return selection_query.cells(spec, found)


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
        "draw": "string",
    }
)


_GONE: Final = ("FileNotFoundError", "[errno 2]")
"""How a file that is gone is said by delta-rs, and by Arrow of a folder."""


class SelectionEngine:
    """One selection on DuckDB. Use as a context; the temporary folder is the caller's."""

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
        lately = None
        if labels.as_of is not None:
            lately = shift_day(first, -_CLOCKS), shift_day(labels.as_of.date(), _CLOCKS)
        self._connection.register("traces", traces.dataset((first, last)))
        self._connection.register("labels", labels.dataset(lately))
        self._connection.register("all_traces", traces.dataset())
        self._connection.register("all_labels", labels.dataset())
        self._spec = spec
        self._cells = ibis.table(CELL_SCHEMA, name=CELL_TABLE)

    def __enter__(self) -> Self:
        found = cells_expression(self._spec)
        self._run(f"CREATE TEMP TABLE {CELL_TABLE} AS {ibis.to_sql(found, dialect='duckdb')}")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def strata(self) -> list[dict[str, Any]]:
        """Return stratum, traces and cells of each stratum that exists."""
        return self.ask(selection_query.strata(self._cells))

    def first_cells(self, below: Mapping[str, str | None]) -> list[dict[str, Any]]:
        """Return the cells of each stratum whose hash is below its limit."""
        return self.ask(selection_query.first_cells(self._cells, below)) if below else []

    def cells_of(self, clusters: Collection[str]) -> list[dict[str, Any]]:
        """Return stratum, cluster and number of traces of all cells of these clusters."""
        return self.ask(selection_query.cells_of(self._cells, sorted(clusters))) if clusters else []

    def labels_of(self, trace_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the label events in force of these traces, which may be older than the window."""
        return self.ask(selection_query.labels_of(unbound_table("all_labels"), trace_ids))

    def named(self) -> list[dict[str, Any]]:
        """Return keys, cluster and redaction policy of the traces that the spec names."""
        if not self._spec.named:
            return []
        return self.ask(selection_query.named_traces(self._spec, unbound_table("all_traces")))

    def strata_of(self, rows: pa.Table) -> dict[str, str]:
        """Return the text of the stratum of each synthetic row that meets the spec's `where`.

        ``rows`` have the columns of traces, and those that come from the label event.
        """
        self._connection.register(SYNTHETIC_TABLE, rows)
        schema = {field.name: _ibis_type(field.type) for field in rows.schema}
        found = self.ask(
            selection_query.synthetic_strata(self._spec, ibis.table(schema, name=SYNTHETIC_TABLE))
        )
        return {row["trace_id"]: row["stratum"] for row in found}

    def policies(self) -> dict[str, int]:
        """Return how many traces of the window were stored under each redaction policy."""
        found = self.ask(selection_query.count_by_policy(self._spec, unbound_table("traces")))
        return {row["_policy"]: row["traces"] for row in sorted(found, key=lambda r: r["_policy"])}

    def ask(self, expression: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables (`unbound_table`).

        Raises FatalError if it needs more memory than it may use, UsageError for files that are
        gone.
        """
        return self._run(str(ibis.to_sql(expression, dialect="duckdb")))

    def _run(self, sql: str) -> list[dict[str, Any]]:
        try:
            relation = self._connection.sql(sql)  # None where a statement gives no rows
            found = [] if relation is None else relation.to_arrow_table().to_pylist()
        except duckdb.OutOfMemoryException:
            raise FatalError(
                "the selection needs more memory than it may use: narrow the window or the filters "
                "of the spec, or allow more with --memory-mib"
            ) from None
        except duckdb.InvalidInputException as error:
            if not any(sign in str(error) for sign in _GONE):
                raise
            raise UsageError(
                "a version of the lake that is read here has files that are gone (vacuum, "
                "retention or an erasure removed them): name later versions, or none"
            ) from None
        return list(found)
