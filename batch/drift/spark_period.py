"""Runs the counts of a period on a Spark Connect server, over tables at one version each."""

from typing import Any, Self

import pyarrow as pa

from batch.assembled_rows import has_assembled_rows
from batch.drift.period_engine import PLAIN_TABLES, DayRange, PinnedTables, days_to_read
from batch.engines.spark_lake import SparkAddress, SparkLake
from batch.engines.spark_traces_in_force import show_plain_traces, show_traces_in_force
from batch.progress import ReportStep, no_step


class SparkPeriod:
    """A period on Spark (`batch.drift.period_engine.PeriodEngine`). Use it as a context."""

    def __init__(
        self,
        tables: PinnedTables,
        days: DayRange,
        settled_days: int,
        *,
        address: SparkAddress,
        report: ReportStep = no_step,
    ) -> None:
        self._tables = tables
        self._days = days
        self._settled = settled_days
        self._spark = SparkLake(address, report)

    def __enter__(self) -> Self:
        self._spark.__enter__()
        try:
            for name in PLAIN_TABLES:
                days = days_to_read(name, self._days, self._settled)
                self._spark.show_table(name, self._tables[name], days)
            traces = self._tables["traces"]
            show = show_traces_in_force if has_assembled_rows(traces) else show_plain_traces
            show(self._spark, traces, self._days, self._spark.keep_sql)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._spark.__exit__()

    def keep(self, name: str, query: Any) -> None:
        """Compute a query once, and show its rows as a table of this name."""
        self._spark.keep(name, query)

    def give(self, name: str, rows: pa.Table) -> None:
        """Show queries a small table."""
        self._spark.give(name, rows)

    def ask(self, query: Any) -> pa.Table:
        """Return the rows of a query."""
        return self._spark.table(query)
