"""Opens the engine that a build asks for: DuckDB in this process, or a Spark Connect server."""

from collections.abc import Iterator
from contextlib import contextmanager

from batch.bounded_duckdb import remove_stale_temp_dirs, temp_dir, temp_root
from batch.engines.spark_lake import SparkAddress
from batch.progress import ReportStep
from batch.release.sampling.duckdb_engine import DuckDbEngine
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.spark_engine import SparkEngine
from batch.release.sampling.spec import ReleaseSpec
from lake.snapshot import TableSnapshot


@contextmanager
def open_engine(  # noqa: PLR0913 - what an engine reads, and how
    spec: ReleaseSpec,
    traces: TableSnapshot,
    labels: TableSnapshot,
    *,
    memory_bytes: int,
    spark: SparkAddress | None,
    progress: ReportStep,
) -> Iterator[SelectionEngine]:
    """Yield the engine of a selection: Spark where an address is given, else DuckDB.

    DuckDB uses no more than ``memory_bytes``, and spills to a temporary folder. Raises UsageError
    if Spark's client is not installed, RetryableError if the server cannot be reached.
    """
    if removed := remove_stale_temp_dirs(temp_root()):
        progress(f"removed the temporary folders of {removed} selections that died")
    if spark is not None:
        with SparkEngine(spec, traces, labels, spark, progress) as on_spark:
            yield on_spark
        return
    with (
        temp_dir(temp_root()) as folder,
        DuckDbEngine(spec, traces, labels, folder=folder, memory_bytes=memory_bytes) as on_duckdb,
    ):
        yield on_duckdb
