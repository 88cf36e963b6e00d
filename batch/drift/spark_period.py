"""Runs the counts of a period on a Spark Connect server, over tables at one version each."""

from collections.abc import Iterator
from contextlib import contextmanager

from batch.assembled_rows import has_assembled_rows
from batch.drift.period_engine import (
    PLAIN_TABLES,
    DayRange,
    PeriodEngine,
    PinnedTables,
    days_to_read,
)
from batch.engines.spark_lake import SparkAddress, SparkLake
from batch.engines.spark_traces_in_force import show_plain_traces, show_traces_in_force
from batch.progress import ReportStep, no_step


@contextmanager
def open_spark_period(
    tables: PinnedTables,
    days: DayRange,
    settled_days: int,
    *,
    address: SparkAddress,
    report: ReportStep = no_step,
) -> Iterator[PeriodEngine]:
    """Open a period on a Spark Connect server; raises as `SparkLake`."""
    with SparkLake(address, report) as spark:
        for name in PLAIN_TABLES:
            spark.show_table(name, tables[name], days_to_read(name, days, settled_days))
        traces = tables["traces"]
        show = show_traces_in_force if has_assembled_rows(traces) else show_plain_traces
        show(spark, traces, days, spark.keep_sql)
        yield spark
