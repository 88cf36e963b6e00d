"""DuckDB and Spark answer every question of a selection alike, and build the same bytes."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch.engines.spark_lake import SparkAddress
from batch.release.format.version import ChangeLevel
from batch.release.publish.build import ReleaseDraft, draft_release, publish_draft
from batch.release.sampling import selection_query
from batch.release.sampling.columns import needs_label
from batch.release.sampling.duckdb_engine import DuckDbEngine
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.population import count_population
from batch.release.sampling.spark_engine import SparkEngine
from batch.release.sampling.spec import ReleaseSpec
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.erase.world import erasure, new_world
from tests.batch.release.kit import OPTIONS, contents, open_repository, spec
from tests.batch.release.people import WHOLE
from tests.batch.release.random_lakes import (
    HOSTILE_TEXTS,
    LONG_TEXT,
    WINDOW,
    random_lake,
    with_hostile_texts,
    with_hostile_values,
)
from tests.servers.spark import TOKEN, SharedSpark

BANDS = {"latency_ms": [600, 900.5], "input_tokens": [0, 2**53], "cost_usd": [0.1, 1e16]}
TEXTS = [text for text in HOSTILE_TEXTS if text not in {"", LONG_TEXT}]
SPECS: list[dict[str, Any]] = [
    {
        "strata": ["label", "app", "segments.plan", "latency_ms", "tool_path", "error_type"],
        "bands": {"latency_ms": BANDS["latency_ms"]},
        "must_include": [f"t-{text}" for text in TEXTS[:20]],
        "labels": {"accept": ["pass", "fail", "none"]},
    },
    {
        "strata": ["cost_usd", "input_tokens", "status"],
        "bands": {name: BANDS[name] for name in ("cost_usd", "input_tokens")},
        "one_per": "user",
        "where": {"app": TEXTS, "latency_ms": {"max": 1e16}},
    },
    {
        "strata": ["confidence"],
        "bands": {"confidence": [0.5, 0.75]},
        "one_per": "trace",
        "allocation": {},
    },
    {
        "strata": ["status"],
        "one_per": "user",
        "labels": {"min_confidence": 0.6, "expected_response": "required"},
        "redaction_policies": ["policy-a"],
        "where": {"segments.plan": TEXTS},
    },
]

SHORT: dict[str, Any] = {"strata": ["label", "segments.plan"], "must_include": ["t-${x}", "t-'"]}


def address(spark: SharedSpark) -> SparkAddress:
    """Return where the server of the tests is."""
    return SparkAddress(spark.url, TOKEN)


def draft(lake: Lake, where: SparkAddress | None, **changes: Any) -> ReleaseDraft:
    """Return the draft of a release from the newest versions of a lake."""
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    return draft_release(spec(**changes), traces, labels, replace(OPTIONS, spark=where))


def one_of_each(rows: pa.Table) -> pa.Table:
    """Return one row of each trace: rows that somebody wrote by hand have ids of their own."""
    first_places = {
        key: place for place, key in reversed(list(enumerate(rows["trace_id"].to_pylist())))
    }
    return rows.take(sorted(first_places.values()))


def answers(engine: SelectionEngine, asked: ReleaseSpec, rows: pa.Table) -> dict[str, Any]:
    """Return the answers to all questions of a selection over a table of traces."""
    strata = engine.strata()
    limits: dict[str, str | None] = dict.fromkeys((s.text for s in strata), "8")
    limits.update({s.text: None for s in strata[::2]})
    cells = engine.first_cells(limits)
    clusters = sorted({cell.cluster for cell in cells})
    labels = engine.labels_of(rows["trace_id"].to_pylist())
    is_synthetic = not any(needs_label(column) for column in asked.columns)
    return {
        "strata_of": engine.strata_of(rows) if is_synthetic else {},
        "strata": strata,
        "first_cells": sorted(map(repr, cells)),
        "cells_of": sorted(map(repr, engine.cells_of(clusters[::2]))),
        "labels_of": {key: labels[key] for key in sorted(labels)},
        "named": dict(sorted(engine.named().items())),
        "policies": engine.policies(),
        "population": count_population(asked, engine),
    }


@pytest.mark.parametrize("changes", SPECS, ids=["conversation", "user", "trace", "labelled"])
@pytest.mark.parametrize("is_assembled", [False, True], ids=["records", "assembled"])
@pytest.mark.chaos  # a minute of work on Spark each
def test_every_answer_is_the_same(
    spark: SharedSpark, tmp_path: Path, changes: dict[str, Any], *, is_assembled: bool
) -> None:
    """Strata, cells, ids, hashes, labels and counts, over values that engines take differently."""
    lake = random_lake(tmp_path / "lake", 5, is_assembled=is_assembled, change=with_hostile_values)
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    rows = one_of_each(traces.dataset().to_table())
    asked = spec(window=WINDOW, **changes)
    with DuckDbEngine(asked, traces, labels, folder=tmp_path, memory_bytes=2**28) as on_duckdb:
        expected = answers(on_duckdb, asked, rows)
    assert min(len(expected[question]) for question in ("strata", "first_cells", "labels_of")) > 1
    with SparkEngine(asked, traces, labels, address(spark)) as on_spark:
        found = answers(on_spark, asked, rows)
    for question, answer in expected.items():
        assert found[question] == answer, question


@pytest.mark.chaos  # a minute of work on Spark
def test_the_engine_changes_no_byte_of_a_release(spark: SharedSpark, tmp_path: Path) -> None:
    """What was built on one engine is nothing new on the other, whatever values rows have."""
    lake = random_lake(tmp_path / "lake", 1, is_assembled=True, change=with_hostile_texts)
    on_duckdb, on_spark = (
        draft(lake, where, window=WINDOW, **SHORT) for where in (None, address(spark))
    )
    shelves = [tmp_path / "one", tmp_path / "other"]
    for shelf, made in zip(shelves, (on_duckdb, on_spark), strict=True):
        assert publish_draft(made, open_repository(shelf)).level is ChangeLevel.MAJOR
    assert contents(shelves[0]) == contents(shelves[1])
    again = publish_draft(on_spark, open_repository(shelves[0]))
    assert (again.level, str(again.version)) == (ChangeLevel.NONE, "1.0.0")
    assert not any(b"spark" in data.lower() for data in contents(shelves[1]).values())


@pytest.mark.chaos  # a minute of work on Spark
def test_an_erased_lake_gives_the_same_bytes(spark: SharedSpark, tmp_path: Path) -> None:
    """Its files were rewritten; versions from before cannot be read, and both engines say so."""
    lake = new_world(tmp_path / "lake")
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    erasure(lake).run()
    whole = WHOLE | {"window": {"from": "2026-01-01", "to": "2027-12-31"}}
    found = [draft(lake, where, **whole) for where in (None, address(spark))]
    assert found[0].rows.equals(found[1].rows)
    assert found[0].facts == found[1].facts
    assert len(found[0].rows) > 10
    for where in (None, address(spark)):
        with pytest.raises(UsageError, match="name later versions"):
            draft_release(spec(**whole), traces, labels, replace(OPTIONS, spark=where))


def test_a_limit_holds_about_the_requested_number(conversation_lake: Lake) -> None:
    """The first cells by hash, and some to spare, without reading the others one by one."""
    asked = spec(strata=["status"], one_per="trace")
    traces, labels = (open_snapshot(conversation_lake, name) for name in ("traces", "labels"))
    with (
        tempfile.TemporaryDirectory() as folder,
        DuckDbEngine(asked, traces, labels, folder=Path(folder), memory_bytes=2**30) as engine,
    ):
        cells = engine.first_cells({stratum.text: None for stratum in engine.strata()})
    ok = sorted(cell.draw for cell in cells if cell.stratum == "=ok")
    limit = selection_query.hash_limit(50, len(ok))
    assert limit is not None
    assert 50 <= sum(draw < limit for draw in ok) <= 200
    assert selection_query.hash_limit(len(ok), len(ok)) is None
