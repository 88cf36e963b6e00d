"""`goldpan lake views`: SQL that shows spans and traces by the names that Databricks gives them."""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from deltalake import DeltaTable

from goldpan.cli.main import run_command
from lake.snapshot import open_snapshot
from lake.tables import Lake
from lake.trace_views import SOURCE_TABLES, view_statements, write_views
from lake.view_dialects import VIEW_DIALECTS, WAREHOUSE_VIEWS
from lake.warehouse_ddl import WarehousePlace, write_warehouse_ddl
from schemas.arrow import TABLES
from schemas.assembly_columns import AssemblyFacts
from schemas.column_docs import describe_columns
from schemas.records import StoredSpan, StoredSpanEvent, StoredSpanLink
from tests.batch.kit import new_lake, put, put_assembled, put_spans
from tests.labels.kit import START, feedback, trace
from tests.partners.environment import Partners
from tests.servers.trino import run_trino
from tests.servers.trino.tables import create_tables

Row = dict[str, Any]
SPAN_COLUMNS = {
    "record_id",
    "time",
    "date",
    "trace_id",
    "span_id",
    "trace_state",
    "parent_span_id",
    "flags",
    "name",
    "kind",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "attributes",
    "dropped_attributes_count",
    "events",
    "links",
    "status",
    "resource",
    "instrumentation_scope",
}
TRACE_COLUMNS = {
    "trace_id",
    "client_request_id",
    "request_time",
    "state",
    "execution_duration_ms",
    "request",
    "response",
    "trace_metadata",
    "tags",
    "spans",
    "assessments",
}
"""The columns as Databricks documents them, as far as a lake has their content."""


def span(trace_id: str, span_id: str, at: int, **more: Any) -> StoredSpan:
    """A span of OTLP that began some milliseconds after the start of the tests."""
    start = START * 1000 + at * 1_000_000
    times = {"start_time_unix_nano": start, "end_time_unix_nano": start + 500_000}
    fields: Row = {"record": "span", "format": "otlp", "attributes": '{"a.b": 1}', **times, **more}
    return StoredSpan(trace_id=trace_id, span_id=span_id, started_at=START + at * 1000, **fields)


@pytest.fixture(scope="module")
def viewed_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two assembled traces with their spans, some of them twice, and a trace that came whole."""
    lake = new_lake(tmp_path_factory.mktemp("views") / "lake")
    event = StoredSpanEvent(name="exception", time_unix_nano=7, attributes='{"x": "y"}')
    link = StoredSpanLink(trace_id="b", span_id="b1", attributes="{}")
    spans = [
        span("a", "a2", 5, parent_span_id="a1", status_code=2, status_message="no", events=[event]),
        span(
            "a",
            "a1",
            0,
            links=[link],
            resource='{"service.name": "shop"}',
            scope="sdk",
            kind="server",
            flags=257,
        ),
        span("b", "b1", 2),
        span(
            "a",
            "a1",
            0,
            links=[link],
            resource='{"service.name": "shop"}',
            scope="sdk",
            kind="server",
            flags=257,
        ),
        StoredSpan(record="log", format="otlp", trace_id="a", span_id="a1", started_at=START),
    ]
    put_spans(lake, spans)
    put_spans(lake, [span("b", "b1", 2, part="fragment", name="begun", end_time_unix_nano=None)])
    put_assembled(
        lake,
        [
            (trace("a", response="old"), AssemblyFacts(1, "m")),
            (trace("a", response="new", user_id="k:u", latency_ms=3.5), AssemblyFacts(2, "m")),
            (trace("b", response="twice"), AssemblyFacts(1, "m", duplicate_of="a")),
        ],
    )
    put(lake, [trace("c", status="error", attributes={"k": "v"}), feedback("f", "a")])
    return lake


@pytest.fixture
def connection(viewed_lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB, with the tables of the lake by their names, and the views."""
    with duckdb.connect() as opened:
        for name in SOURCE_TABLES:
            table = DeltaTable(viewed_lake.location.table_uri(name))
            opened.register(name, table.to_pyarrow_dataset())
        opened.execute(write_views("duckdb"))
        yield opened


def rows(connection: duckdb.DuckDBPyConnection, view: str) -> list[Row]:
    """Return the rows of a view as Python values."""
    found = connection.sql(f"SELECT * FROM {view} ORDER BY ALL").to_arrow_table()  # noqa: S608 - ours
    return list(found.to_pylist())


def test_each_span_is_one_row(connection: duckdb.DuckDBPyConnection) -> None:
    """Whether it was sent twice or in parts; log records are none."""
    found = {row["span_id"]: row for row in rows(connection, "_otel_spans")}
    assert len(rows(connection, "_otel_spans")) == len(found) == 3
    assert all(set(row) == SPAN_COLUMNS for row in found.values())
    failed = found["a2"]
    assert failed["status"] == {"message": "no", "code": "STATUS_CODE_ERROR"}
    assert json.loads(failed["attributes"]) == {"a.b": 1}
    assert [(e["name"], json.loads(e["attributes"])) for e in failed["events"]] == [
        ("exception", {"x": "y"})
    ]
    assert json.loads(found["a1"]["resource"]["attributes"]) == {"service.name": "shop"}
    assert found["a1"]["instrumentation_scope"] == {"name": "sdk"}
    assert [link["span_id"] for link in found["a1"]["links"]] == ["b1"]
    assert found["b1"]["end_time_unix_nano"] is not None
    assert (found["a1"]["kind"], found["a1"]["flags"]) == ("SPAN_KIND_SERVER", 257)
    assert (found["b1"]["kind"], found["b1"]["flags"]) == (None, None)
    assert len({row["record_id"] for row in found.values()}) == 3


def test_each_trace_in_force_is_one_row(connection: duckdb.DuckDBPyConnection) -> None:
    """With its spans in order and the feedback on it."""
    found = {row["trace_id"]: row for row in rows(connection, "_trace_unified")}
    assert set(found) == {"a", "c"}
    assert all(set(row) == TRACE_COLUMNS for row in found.values())
    whole = found["a"]
    assert (whole["response"], whole["state"], whole["execution_duration_ms"]) == ("new", "OK", 3.5)
    assert [each["span_id"] for each in whole["spans"]] == ["a1", "a2"]
    assert dict(whole["trace_metadata"])["mlflow.trace.user"] == "k:u"
    [assessment] = whole["assessments"]
    assert (assessment["assessment_name"], assessment["feedback"]) == ("thumbs", {"value": -1.0})
    assert (found["c"]["state"], found["c"]["spans"]) == ("ERROR", None)
    assert dict(found["c"]["trace_metadata"])["k"] == "v"


def test_a_file_for_duckdb_reads_the_tables_of_the_lake(
    viewed_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its statements parse, name the three tables, and then the two views."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", viewed_lake.location.uri)
    out = tmp_path / "views.sql"
    arguments = ["lake", "views", "--for", "duckdb", "--prefix", "goldpan", "--out", str(out)]
    assert run_command(arguments) == 0
    text = out.read_text()
    assert len(duckdb.extract_statements(text)) == 5
    for name in SOURCE_TABLES:
        assert f"delta_scan('{viewed_lake.location.table_uri(name)}')" in text
    assert "VIEW goldpan_otel_spans" in text
    assert "VIEW goldpan_trace_unified" in text


@pytest.mark.parametrize("dialect", VIEW_DIALECTS)
def test_the_statements_name_the_schema_everywhere(
    dialect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The views read the tables and the other view of the same schema."""
    arguments = ["lake", "views", "--for", dialect, "--schema", "main.traces", "--without-tables"]
    assert run_command(arguments) == 0
    text = capsys.readouterr().out
    assert text.count("CREATE OR REPLACE") == 2
    for name in ("main.traces.otel_spans", "main.traces.feedback", "main.traces._otel_spans"):
        assert f"FROM {name}" in text
    assert run_command(["lake", "views", "--for", dialect, "--prefix", "a;b"]) == 2


def plain(value: object) -> object:
    """Return a value without what databases may write differently: spaces, zones, absent keys."""
    if isinstance(value, datetime):
        return str(value.replace(tzinfo=None))
    if isinstance(value, str):
        return plain(json.loads(value)) if value[:1] in {"{", "["} else value.removesuffix("+00")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):  # an entry of a map: without a value, it may be left out
        return None if value[1] is None else tuple(map(plain, value))
    if isinstance(value, list):
        return [each for each in map(plain, value) if each is not None]
    return value


@pytest.mark.parametrize("warehouse", ["trino", "athena", "snowflake"])
def test_warehouses_show_the_same(
    connection: duckdb.DuckDBPyConnection, warehouse: str, viewed_lake: Lake
) -> None:
    """Their SQL, read by sqlglot in their dialect and translated for DuckDB, gives these rows.

    This tests what the SQL says, not that the database accepts it: below, Trino and Spark do.
    """
    ours = {view: rows(connection, view) for view in ("_otel_spans", "_trace_unified")}
    own = WAREHOUSE_VIEWS[warehouse]
    with duckdb.connect() as opened:
        for name in SOURCE_TABLES:
            table = DeltaTable(viewed_lake.location.table_uri(name))
            opened.register(name, table.to_pyarrow_dataset())
        for statement in view_statements(own, own.view, "", ""):
            [text] = sqlglot.transpile(statement, read=warehouse, write="duckdb")
            opened.execute(text.replace("REPLACE VIEW", "REPLACE TEMP VIEW"))
        for view, expected in ours.items():
            shown = {json.dumps(plain(row), default=str) for row in rows(opened, view)}
            assert shown == {json.dumps(plain(row), default=str) for row in expected}


TRINO_SPANS = (
    "SELECT record_id, span_id, kind, json_format(attributes), status.message, status.code, "
    "json_format(CAST(events AS json)), json_format(CAST(links AS json)), "
    "json_format(resource.attributes), instrumentation_scope.name FROM lake.llm._otel_spans"
)
TRINO_TRACES = (
    "SELECT trace_id, state, request, response, json_format(CAST(trace_metadata AS json)), "
    "json_format(CAST(spans AS json)), json_format(CAST(transform(assessments, one -> "
    "ROW(one.assessment_id, one.feedback.value, one.source.source_type)) AS json)), "
    "CAST(request_time AS varchar) FROM lake.llm._trace_unified"
)


@pytest.mark.chaos  # a Trino takes half a minute of work
def test_trino_shows_the_same(
    viewed_lake: Lake, connection: duckdb.DuckDBPyConnection, trino_jars: Path, tmp_path: Path
) -> None:
    """A Trino accepts all statements of `goldpan lake ddl`, and the views have these rows.

    Its connector for Delta cannot be had here, so the tables are in memory, and what registers them
    is read by Trino and then refused, since there is no such procedure.
    """
    place = WarehousePlace("lake.llm", "s3://bucket/lake")
    begun = ["CREATE SCHEMA lake.llm"]
    for name, table in TABLES.items():
        there = DeltaTable(viewed_lake.location.table_uri(name)).to_pyarrow_table()
        begun += create_tables("lake.llm", f"{name}_delta", table.arrow, there)
    made = write_warehouse_ddl("trino", place).statements
    comment = "SELECT comment FROM lake.information_schema.columns WHERE table_name = 'traces'"
    asked = [*begun, *made, TRINO_SPANS, TRINO_TRACES, comment]
    *answers, spans, traces, comments = run_trino(trino_jars, asked, tmp_path)
    refused = {"error": "Procedure not registered: system.register_table"}
    for statement, answer in zip(asked, answers, strict=False):
        done = [["1"]] if statement.startswith("INSERT") else []
        assert answer == (refused if statement.startswith("CALL") else done), statement
    assert {said for [said] in comments} == {
        column.comment for column in describe_columns(TABLES["traces"])
    }
    names = ("attributes", "status", "events", "links", "resource", "instrumentation_scope")
    expected = {
        row["span_id"]: [row["record_id"], row["kind"], *(row[name] for name in names)]
        for row in rows(connection, "_otel_spans")
    }
    assert {
        row[1]: [
            plain(value)
            for value in (
                row[0],
                None if row[2] == "null" else row[2],
                row[3],
                {"message": None if row[4] == "null" else row[4], "code": row[5]},
                row[6],
                row[7],
                {"attributes": row[8]},
                {"name": row[9]},
            )
        ]
        for row in spans
    } == {span_id: [plain(value) for value in row] for span_id, row in expected.items()}
    whole = {row["trace_id"]: row for row in rows(connection, "_trace_unified")}
    assert {row[0] for row in traces} == set(whole)
    for row in traces:
        ours = whole[row[0]]
        assert row[1:4] == [ours["state"], ours["request"], str(ours["response"] or "null")]
        assert json.loads(row[4]) == dict(ours["trace_metadata"])
        assert plain(json.loads(row[5])) == plain(ours["spans"])
        assert row[7].startswith(f"{ours['request_time']:%Y-%m-%d %H:%M:%S}")


@pytest.mark.chaos  # a Spark takes half a minute of work
def test_spark_shows_the_same(viewed_lake: Lake, partners: Partners, tmp_path: Path) -> None:
    """The two views, as statements for Spark, over the same files; and those for Databricks.

    Spark's parser reads all statements for Databricks, too.
    """
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    views = {
        name: {
            "base": viewed_lake.location.table_uri(name),
            "files": open_snapshot(viewed_lake, name).handle.file_uris(),
        }
        for name in SOURCE_TABLES
    }
    made = write_views("spark").split(";\n")[:2]
    counts = "SELECT span_id, status.code FROM _otel_spans ORDER BY span_id"
    order = "SELECT trace_id, state, response, to_json(spans.span_id), size(assessments) "
    queries = [*made, counts, f"{order} FROM _trace_unified ORDER BY trace_id"]
    own = WAREHOUSE_VIEWS["databricks"]
    queries += view_statements(own, VIEW_DIALECTS["spark"].local_view, "", "brick")
    queries += [
        "SELECT span_id, to_json(attributes), status.code FROM brick_otel_spans ORDER BY span_id",
        f"{order} FROM brick_trace_unified ORDER BY trace_id",
    ]
    ddl = write_warehouse_ddl("databricks", WarehousePlace("main.llm", "s3://bucket/lake"))
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"views": views, "queries": queries, "statements": ddl.statements}))
    _, _, spans, traces, _, _, documents, bricks = partners.run("run_spark.py", job, cwd=tmp_path)
    assert [row[0] for row in spans] == ["a1", "a2", "b1"]
    assert spans[1][1] == "STATUS_CODE_ERROR"
    assert traces[0] == ["a", "OK", "new", '["a1","a2"]', 1]
    assert traces[1][:3] == ["c", "ERROR", None]
    assert [row[1] for row in documents] == ['{"a.b":1}'] * 3
    assert [[row[0], row[2]] for row in documents] == spans
    assert bricks == traces
