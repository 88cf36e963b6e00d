"""Runs the selection on a Spark Connect server, over two tables at one version each.

Each question reads what it needs again, but for the rows of traces that have several, which are put
in order once. The texts of the few rows that are drawn are read from the lake by this process.
"""

from collections.abc import Collection, Sequence
from typing import Any, Self

import pyarrow as pa

from batch.assembled_rows import has_assembled_rows
from batch.engines.missing_files import missing_files
from batch.engines.spark_lake import SparkAddress, SparkLake
from batch.engines.spark_traces_in_force import show_traces_in_force
from batch.engines.unbound_tables import unbound_table
from batch.progress import ReportStep, no_step
from batch.release.format.rows import TRACE_COLUMNS
from batch.release.sampling import selection_query
from batch.release.sampling.ibis_engine import ALL_LABELS, IbisEngine, label_days
from batch.release.sampling.row_fetcher import RowCoordinates, fetch_rows
from batch.release.sampling.spec import ReleaseSpec
from batch.traces_in_force_view import STORED_TRACES
from lake.snapshot import TableSnapshot


class SparkEngine(IbisEngine):
    """One selection on Spark. Use it as a context."""

    def __init__(
        self,
        spec: ReleaseSpec,
        traces: TableSnapshot,
        labels: TableSnapshot,
        address: SparkAddress,
        report: ReportStep = no_step,
    ) -> None:
        super().__init__(spec)
        self._traces = traces
        self._labels = labels
        self._spark = SparkLake(address, report)
        self.is_assembled = has_assembled_rows(traces)
        """Whether the view ``traces`` has the rows in force only, one of each trace."""

    def __enter__(self) -> Self:
        with_days = self._spec.window.days
        self._spark.__enter__()
        try:
            if self.is_assembled:
                kept = self._spark.keep_sql
                show_traces_in_force(self._spark, self._traces, with_days, kept)
            else:
                self._spark.show_table(STORED_TRACES, self._traces, with_days)
                self._spark.show_query("traces", unbound_table(STORED_TRACES))
            days = label_days(self._spec, self._labels)
            self._spark.show_table("labels", self._labels, days)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._spark.__exit__()

    @property
    def repeated_traces(self) -> Any | None:
        """A query for the ids that have several rows in view ``traces``; None if there are none."""
        if self.is_assembled:
            return None
        traces = unbound_table("traces").select("trace_id", "started_at", "event_date")
        return selection_query.repeated_ids(selection_query.in_window(self._spec, traces))

    @property
    def labels_in_force(self) -> Any:
        """A query for the label event in force of each trace."""
        columns = selection_query.label_columns(self._spec)
        return selection_query.labels_in_force(unbound_table("labels").select(*columns))

    def _rows_in_force(self, columns: Sequence[str]) -> Any:
        rows = selection_query.in_window(self._spec, unbound_table("traces").select(*columns))
        return rows if self.is_assembled else selection_query.in_force(rows)

    def _give(self, name: str, rows: pa.Table) -> Any:
        return self._spark.give(name, rows)

    def _show_all(self, name: str) -> Any:
        self._spark.show_table(name, self._labels if name == ALL_LABELS else self._traces)
        return unbound_table(name)

    def ask(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables (`batch.engines.unbound_tables`)."""
        return self._spark.ask(query)

    def fetch(
        self, coordinates: Collection[RowCoordinates], *, anywhere: bool = False
    ) -> list[pa.Table]:
        """Return the rows that exist at coordinates, in the days of the window or ``anywhere``."""
        dataset = self._traces.dataset(None if anywhere else self._spec.window.days)
        try:
            return fetch_rows(dataset, coordinates, TRACE_COLUMNS)
        except FileNotFoundError:
            raise missing_files() from None
