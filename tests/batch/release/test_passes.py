"""The engine's passes give what the plain query gives, on random lakes."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from batch.bounded_duckdb import temp_dir
from batch.lake_in_duckdb import show_dataset
from batch.release.format.rows import TRACE_COLUMNS
from batch.release.sampling import passes as counting
from batch.release.sampling.duckdb_engine import DuckDbEngine
from batch.release.sampling.ibis_engine import cells_expression
from batch.release.sampling.passes import MOST_PASSES, count_passes, rows_of_pass
from batch.release.sampling.population import count_population
from batch.release.sampling.row_fetcher import RowCoordinates, fetch_rows
from batch.release.sampling.spec import ReleaseSpec
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.trace_in_force import choose_in_force
from tests.batch.release.kit import spec
from tests.batch.release.random_lakes import WINDOW, random_lake
from tests.batch.release.world import Row
from tests.short_versions import short

TYPED = pa.schema([pa.field("latency_ms", pa.int64())])
MEMORY = 2**28
SPECS: list[dict[str, Any]] = [
    {"strata": ["label", "segments.plan", "latency_ms"], "bands": {"latency_ms": [600, 900]}},
    {
        "strata": ["status"],
        "one_per": "user",
        "labels": {"min_confidence": 0.6, "expected_response": "required"},
        "redaction_policies": ["policy-a"],
    },
    {
        "strata": ["label", "error_type"],
        "one_per": "trace",
        "where": {"segments.plan": ["free", "gold"]},
    },
]


@contextmanager
def _engine(lake: Lake, asked: ReleaseSpec, folder: Path) -> Iterator[DuckDbEngine]:
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    with (
        temp_dir(folder) as place,
        DuckDbEngine(asked, traces, labels, folder=place, memory_bytes=MEMORY) as engine,
    ):
        yield engine


def _stored(lake: Lake, name: str) -> list[Row]:
    rows: list[Row] = open_snapshot(lake, name).dataset().to_table().to_pylist()
    return rows


def _in_force(lake: Lake) -> pa.Table:
    """Return the rows in force of an assembled lake, chosen one trace at a time in Python."""
    by_trace: dict[str, list[Row]] = {}
    for row in _stored(lake, "traces"):
        by_trace.setdefault(row["trace_id"], []).append(row)
    chosen = [choose_in_force(rows) for rows in by_trace.values()]
    schema = open_snapshot(lake, "traces").dataset().schema
    return pa.Table.from_pylist([row for row in chosen if row is not None], schema=schema)


def _plain_cells(lake: Lake, asked: ReleaseSpec, traces: Any) -> list[Row]:
    """Return all cells by the one query that other engines run."""
    with duckdb.connect() as connection:
        connection.register("traces", traces)
        connection.register("labels", open_snapshot(lake, "labels").dataset())
        query = str(ibis.to_sql(cells_expression(asked), dialect="duckdb"))
        cells: list[Row] = connection.sql(query).to_arrow_table().to_pylist()
        return cells


def _fitting(asked: ReleaseSpec, rows: list[Row]) -> set[str]:
    wanted = asked.where.get("segments.plan")
    return {
        row["trace_id"]
        for row in rows
        if (not isinstance(wanted, list) or dict(row["segments"]).get("plan") in wanted)
        and (asked.redaction_policies == "any" or row["_policy"] in asked.redaction_policies)
    }


@pytest.mark.parametrize(
    ("seed", "passes", "is_assembled"),
    short(
        [(1, 1, False), (2, MOST_PASSES, True), (1, 1, True), (2, MOST_PASSES, False)],
        always=[(1, 1, False), (2, MOST_PASSES, True)],
    ),
)
def test_the_passes_give_what_the_plain_query_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, passes: int, *, is_assembled: bool
) -> None:
    """Strata, first cells, cells of clusters, policies and labels, whatever came several times.

    They are the same if ids and cells are counted in several passes.
    """
    if passes > 1:
        monkeypatch.setattr(counting, "BYTES_PER_ROW", MEMORY)
    lake = random_lake(tmp_path / "lake", seed, is_assembled=is_assembled)
    traces = open_snapshot(lake, "traces").dataset().to_table()
    if is_assembled:
        traces = _in_force(lake)
    last = {
        row["trace_id"]: row["label"]
        for row in sorted(
            _stored(lake, "labels"),
            key=lambda r: (r["revision"], r["decided_at"], r["label_event_id"]),
        )
    }
    for changes in SPECS:
        asked = spec(window=WINDOW, **changes)
        cells = _plain_cells(lake, asked, traces)
        assert len(cells) > 5
        window = [
            row
            for row in traces.to_pylist()
            if asked.window.start <= row["started_at"] < asked.window.end
        ]
        with _engine(lake, asked, tmp_path) as engine:
            units = {s.text: (s.traces, s.cells, s.represented) for s in engine.strata()}
            assert units == _strata(cells)
            limits: dict[str, str | None] = dict.fromkeys(units, "8")
            limits[min(limits)] = None
            below = [c for c in cells if c["draw"] < (limits[c["stratum"]] or "g")]
            first = engine.first_cells(limits)
            names = ("stratum", "cluster", "traces", "trace_id", "_topic", "_offset", "draw")
            assert sorted(
                tuple(getattr(cell, name.lstrip("_")) for name in names) for cell in first
            ) == sorted(tuple(cell[name] for name in names) for cell in below)
            clusters = {c["cluster"] for c in cells[::3]}
            assert sorted(engine.cells_of(clusters)) == sorted(
                (c["stratum"], c["cluster"], c["traces"]) for c in cells if c["cluster"] in clusters
            )
            assert engine.policies() == dict(Counter(row["_policy"] for row in window))
            population = count_population(asked, engine)
            fitting = _fitting(asked, window)
            assert population.labels == dict(Counter(last.get(t, "none") for t in fitting))
            assert population.drawn > 0
            assert population.changed_resends > 0


def test_each_row_is_in_one_pass_with_its_like() -> None:
    """None is left out or read twice, also without a key, and equal keys are counted together."""
    keys = [None, "", *(f"id-{number % 300}" for number in range(1_000))]
    ids = ibis.table({"id": "string"}, name="ids")
    with duckdb.connect() as connection:
        connection.register("ids", pa.table({"id": pa.array(keys, pa.string())}))
        parts = [
            connection.sql(
                str(ibis.to_sql(rows_of_pass(ids, ids.id, number, 4), dialect="duckdb"))
            ).fetchall()
            for number in range(4)
        ]
    assert Counter(row[0] for part in parts for row in part) == Counter(keys)
    assert all(len(part) > 100 for part in parts)
    assert not any(set(one) & set(other) for one, other in itertools.combinations(parts, 2))


def test_a_lake_that_fits_into_memory_is_counted_in_one_pass() -> None:
    """Larger ones in two or four, and never in more."""
    mebibyte = 2**20
    assert [count_passes(rows, 1024 * mebibyte) for rows in (0, 5_000_000, 10_000_000, 10**9)] == [
        1,
        1,
        2,
        MOST_PASSES,
    ]
    assert count_passes(10_000_000, 4096 * mebibyte) == 1


def test_the_log_counts_the_rows_of_some_days(tmp_path: Path) -> None:
    """As many as are there, so that passes fit what is read; of days without files, none."""
    traces = open_snapshot(random_lake(tmp_path / "lake", 4, is_assembled=True), "traces")
    windows = [(date(2026, 11, first), date(2026, 11, last)) for first, last in ((1, 2), (3, 3))]
    for days in (None, *windows):
        assert traces.row_count(days) == traces.dataset(days).count_rows() > 0
    assert traces.row_count((date(2025, 1, 1), date(2025, 1, 2))) == 0


def _strata(cells: list[Row]) -> dict[str, tuple[int, int, float]]:
    counted: dict[str, tuple[int, int, float]] = {}
    for cell in cells:
        traces, number, units = counted.get(cell["stratum"], (0, 0, 0.0))
        more = int(cell["represents"]) / 2**20
        counted[cell["stratum"]] = traces + cell["traces"], number + 1, units + more
    return counted


def test_duckdb_reads_the_rows_that_arrow_reads(tmp_path: Path) -> None:
    """Every column of every row, whatever characters the folder's name has."""
    for name in ("plain", "it's a lake=1"):
        lake = random_lake(tmp_path / name, 3, is_assembled=True)
        asked = spec(window=WINDOW)
        stored = _stored(lake, "traces")[::5]
        places = {RowCoordinates(r["_topic"], r["_partition"], r["_offset"]) for r in stored}
        expected = fetch_rows(open_snapshot(lake, "traces").dataset(), places, TRACE_COLUMNS)
        with _engine(lake, asked, tmp_path) as engine:
            rows = [
                row for table in engine.fetch(places, anywhere=True) for row in table.to_pylist()
            ]
        plain = [row for table in expected for row in table.to_pylist()]
        assert sorted(map(repr, rows)) == sorted(map(repr, plain)) != []


def test_a_column_that_files_do_not_have_is_null(tmp_path: Path) -> None:
    """Files from before a column existed are read by DuckDB too; other types are left to Arrow."""
    lake = random_lake(tmp_path / "lake", 4, is_assembled=False)
    dataset = open_snapshot(lake, "traces").dataset()
    wider = dataset.replace_schema(dataset.schema.append(pa.field("later", pa.float64())))
    with duckdb.connect() as connection:
        assert show_dataset(connection, "traces", wider)
        counted = connection.sql("SELECT count(*), count(later) FROM traces").fetchall()
        assert counted == [(dataset.count_rows(), 0)]
        other = ds.dataset(dataset.files, filesystem=dataset.filesystem, schema=TYPED)
        assert not show_dataset(connection, "other", other)


@pytest.mark.parametrize("folder", ["status=none", "event_date=2020-01-01", "_OFFSET=3", "{a,b}"])
def test_no_column_is_read_from_the_path_of_a_lake(tmp_path: Path, folder: str) -> None:
    """DuckDB would put the value of such a folder in place of that of each row."""
    lake = random_lake(tmp_path / folder / "lake", 4, is_assembled=False)
    dataset = open_snapshot(lake, "traces").dataset()
    with duckdb.connect() as connection:
        show_dataset(connection, "traces", dataset)
        found = connection.sql("SELECT status, event_date, _offset FROM traces").to_arrow_table()
    expected = dataset.to_table(found.column_names)
    assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, expected.to_pylist()))
