"""The selection is one expression: DuckDB and Spark give the same cells, traces and hashes."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import ibis
import pytest

from batch.release.sampling import selection_query
from batch.release.sampling.duckdb_engine import DuckDbEngine
from batch.release.sampling.ibis_engine import cells_expression
from lake.snapshot import open_snapshot
from lake.tables import Lake
from tests.batch.release.kit import spec
from tests.partners.environment import Partners

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
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    with (
        tempfile.TemporaryDirectory() as folder,
        DuckDbEngine(asked, traces, labels, folder=Path(folder), memory_bytes=2**30) as engine,
    ):
        every = {stratum.text: None for stratum in engine.strata()}
        cells = engine.first_cells(every)
        return sorted(tuple(getattr(cell, key.lstrip("_")) for key in KEYS) for cell in cells)


@pytest.mark.chaos  # a Spark takes half a minute of work
def test_spark_selects_the_same_cells(
    conversation_lake: Lake, partners: Partners, tmp_path: Path
) -> None:
    """Every cell, how many traces it has, which one was picked, and its hash, are the same."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    views = {
        name: {
            "base": conversation_lake.location.table_uri(name),
            "files": open_snapshot(conversation_lake, name).handle.file_uris(),
        }
        for name in ("traces", "labels")
    }
    queries = [_columns_on_spark(spec(**changes)) for changes in SPECS]
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"views": views, "queries": queries}))
    for changes, rows in zip(SPECS, partners.run("run_spark.py", job, cwd=tmp_path), strict=True):
        assert sorted(map(tuple, rows)) == _cells_on_duckdb(conversation_lake, spec(**changes))
        assert len(rows) > 20


def _columns_on_spark(asked: Any) -> str:
    # What ibis writes for Databricks is the SQL of Spark, and needs no pyspark beside it.
    return str(ibis.to_sql(cells_expression(asked).select(*KEYS), dialect="databricks"))


@pytest.mark.parametrize("dialect", WAREHOUSES)
@pytest.mark.parametrize("changes", SPECS, ids=["conversation", "user", "trace"])
def test_the_query_can_be_written_for_warehouses(dialect: str, changes: dict[str, Any]) -> None:
    """The same expression compiles to the SQL of each engine; running it is not tested."""
    text = str(ibis.to_sql(cells_expression(spec(**changes)), dialect=dialect))
    assert "md5" in text.lower()


def test_a_limit_holds_about_the_requested_number(conversation_lake: Lake) -> None:
    """The first cells by hash, and some to spare, without reading the others one by one."""
    asked = spec(strata=["status"], one_per="trace")
    every = _cells_on_duckdb(conversation_lake, asked)
    ok = sorted(row[-1] for row in every if row[0] == "=ok")
    limit = selection_query.hash_limit(50, len(ok))
    assert limit is not None
    assert 50 <= sum(draw < limit for draw in ok) <= 200
    assert selection_query.hash_limit(len(ok), len(ok)) is None
