"""The selection is one expression: DuckDB and Spark give the same cells, picked traces and hashes.

Spark needs Java, and pyspark with pandas, which are too large for the environment of the other
tests: ``pip install pyspark==4.2.0 pandas pyarrow-hotfix`` beside it and run this file again.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import ibis
import pytest

from batch.release import query
from batch.release.engine import Engine, cells_expression
from lake.snapshot import snapshot
from lake.tables import Lake
from tests.batch.release.kit import spec

SPECS: list[dict[str, Any]] = [
    {
        "strata": ["label", "segments.plan", "latency_ms", "tool_path", "error_type"],
        "bands": {"latency_ms": [600, 900]},
        "where": {"app": "airline-support", "latency_ms": {"max": 1500}, "segments.plan": ["free"]},
        "labels": {"accept": ["pass", "fail", "none"]},
    },
    {"strata": ["status"], "one_per": "user", "labels": {"min_confidence": 0.75}},
    {
        "strata": ["label"],
        "one_per": "trace",
        "window": {"from": "2026-11-02T05:00", "to": "2026-11-04"},
    },
]
KEYS = ("stratum", "cluster", "traces", "trace_id", "_offset", "draw")
WAREHOUSES = ("snowflake", "postgres", "trino", "databricks")


def _cells_on_duckdb(lake: Lake, asked: Any) -> list[tuple[Any, ...]]:
    traces, labels = snapshot(lake, "traces"), snapshot(lake, "labels")
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(asked, traces, labels, folder=Path(folder), memory_bytes=2**30) as engine,
    ):
        every = {row["stratum"]: None for row in engine.strata()}
        return sorted(tuple(row[key] for key in KEYS) for row in engine.first_cells(every))


@pytest.fixture(scope="module")
def spark(lake: Lake) -> Any:
    """A Spark session that sees the files of the newest versions as views."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    session = (
        sql.SparkSession.builder.master("local[1]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    for name in ("traces", "labels"):
        handle = snapshot(lake, name).handle
        files = session.read.option("basePath", lake.location.table_uri(name))
        files.parquet(*handle.file_uris()).createOrReplaceTempView(name)
    yield session
    session.stop()


@pytest.mark.parametrize("changes", SPECS, ids=["conversation", "user", "trace"])
def test_spark_selects_the_same_cells(lake: Lake, spark: Any, changes: dict[str, Any]) -> None:
    """Every cell, how many traces it has, which one was picked, and its hash, are the same."""
    asked = spec(**changes)
    compiled = ibis.pyspark.connect(spark).compile(cells_expression(asked))
    rows = spark.sql(compiled).collect()
    found = sorted(tuple(row[key] for key in KEYS) for row in rows)
    assert found == _cells_on_duckdb(lake, asked)
    assert len(found) > 20


@pytest.mark.parametrize("dialect", WAREHOUSES)
@pytest.mark.parametrize("changes", SPECS, ids=["conversation", "user", "trace"])
def test_the_query_can_be_written_for_warehouses(dialect: str, changes: dict[str, Any]) -> None:
    """The same expression compiles to the SQL of each; that they run it alike is not tested."""
    text = str(ibis.to_sql(cells_expression(spec(**changes)), dialect=dialect))
    assert "md5" in text.lower()


def test_a_limit_holds_about_what_was_asked_for(lake: Lake) -> None:
    """The first cells by hash, and some to spare, without looking at the others one by one."""
    asked = spec(strata=["status"], one_per="trace")
    every = _cells_on_duckdb(lake, asked)
    ok = sorted(row[-1] for row in every if row[0] == "=ok")
    limit = query.limit_for(50, len(ok))
    assert limit is not None
    assert 50 <= sum(draw < limit for draw in ok) <= 200
    assert query.limit_for(len(ok), len(ok)) is None
