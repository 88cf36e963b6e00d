"""`goldpan lake ddl`: SQL that shows the lake in a warehouse."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from goldpan.cli.main import run_command
from lake.warehouse_ddl import WAREHOUSES, WarehousePlace, write_warehouse_ddl
from schemas.arrow import TABLES
from schemas.column_docs import describe_columns
from schemas.contract import CONTRACTS
from tests.docs.pages import code_blocks

ADDRESS = "s3://bucket/llm/lake"
SCHEMAS = {
    name: ".".join(["part", "other"][: len(w.schema_parts)]) for name, w in WAREHOUSES.items()
}


def statements(warehouse: str) -> tuple[str, ...]:
    """The statements for a lake in a bucket."""
    place = WarehousePlace(SCHEMAS[warehouse], ADDRESS, "volume", "s3://bucket/", "integration")
    return write_warehouse_ddl(warehouse, place).statements


def parse(warehouse: str, text: str) -> exp.Expr:
    """What sqlglot reads in a statement, in the dialect of the warehouse."""
    [found] = sqlglot.parse(text, read=warehouse)
    assert found is not None
    return found


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_every_statement_is_read_in_its_dialect(warehouse: str) -> None:
    """None is a command that the parser only passes on; what Trino calls is read in a test below.

    sqlglot is no warehouse: it says that a statement is well formed, not that it is accepted.
    """
    for text in statements(warehouse):
        if text.startswith("CALL"):
            assert warehouse == "trino"
            continue
        found = parse(warehouse, text)
        assert isinstance(found, exp.Create | exp.Comment), text
        assert not list(found.find_all(exp.Command)), text


def test_what_trino_calls_names_each_table_and_where_it_is() -> None:
    """Its named arguments are literals, and nothing stands between them."""
    call = re.compile(
        r"CALL part\.system\.register_table\(\n  schema_name => 'other',\n"
        r"  table_name => '(\w+)_delta',\n  table_location => '([^']+)'\)"
    )
    calls = [text for text in statements("trino") if text.startswith("CALL")]
    found = [call.fullmatch(text) for text in calls]
    named = {match[1]: match[2] for match in found if match}
    assert named == {table: f"{ADDRESS}/{table}" for table in TABLES}


def comments(warehouse: str) -> dict[tuple[str, str], str]:
    """The comment on each column, by table and column; of views where there are some."""
    found: dict[tuple[str, str], str] = {}
    for text in statements(warehouse):
        if warehouse == "athena":
            name = re.search(r"`part`\.`(\w+)`", text)
            pairs = re.findall(r"^-- (\w+): (.+)$", text, re.MULTILINE) if name else []
            found |= {(name[1], column): said for column, said in pairs if name}
            continue
        if text.startswith("CALL"):
            continue
        read = parse(warehouse, text)
        if isinstance(read, exp.Comment):
            found[read.this.args["table"].name, read.this.name] = read.expression.this
        elif isinstance(read.this, exp.Schema):
            table = read.this.this.name
            for column in read.this.expressions:
                [said] = column.find_all(exp.CommentColumnConstraint)
                found[table, column.name] = said.this.this
    return found


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_every_column_says_what_it_holds_and_its_class(warehouse: str) -> None:
    """Of each table, in the words of the contract."""
    expected = {
        (name, column.name): column.comment
        for name, table in TABLES.items()
        for column in describe_columns(table)
    }
    assert comments(warehouse) == expected
    assert expected["traces", "user_id"].endswith("Class of personal data: pseudonymize.")
    assert expected["traces", "messages"].endswith("Class of personal data: redact_json.")


@pytest.mark.parametrize("warehouse", [name for name in WAREHOUSES if name != "athena"])
def test_described_views_have_the_columns_of_their_tables(warehouse: str) -> None:
    """In their order, and the doc of the record."""
    shown = {}
    for text in statements(warehouse):
        if text.startswith("CALL") or "_delta" not in text:
            continue
        read = parse(warehouse, text)
        if isinstance(read, exp.Create) and read.kind == "VIEW":
            [source] = read.expression.find_all(exp.Table)
            said = [
                p.this.name for p in read.args["properties"].find_all(exp.SchemaCommentProperty)
            ]
            names = [column.name for column in read.expression.selects]
            shown[source.name.removesuffix("_delta")] = (names, said)
    assert shown == {
        name: (table.arrow.names, [CONTRACTS[table.record].doc]) for name, table in TABLES.items()
    }


def test_nothing_writes_to_the_log_of_the_lake() -> None:
    """A comment on the Delta table itself is a commit there, for Trino and Databricks."""
    for warehouse in WAREHOUSES:
        for text in statements(warehouse):
            assert not re.search(
                r"COMMENT ON \w+ \S*_delta|ALTER TABLE|TBLPROPERTIES.*goldpan", text
            )


def test_a_quote_in_a_comment_stays_inside_it() -> None:
    """The docs have some, and they end no literal."""
    expected = "that of the Kafka record's timestamp"
    for warehouse in WAREHOUSES:
        assert expected in comments(warehouse)["traces", "event_date"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    code = run_command(["lake", "ddl", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


SNOWFLAKE = ("--for", "snowflake", "--schema", "llm.traces", "--address", ADDRESS)


@pytest.mark.parametrize(
    ("warehouse", "schema", "quoted"),
    [
        ("snowflake", "llm.order", 'llm."ORDER".'),
        ("trino", "table.Order", '"table"."Order".'),
        ("databricks", "main.select", "main.`select`."),
        ("athena", "order", '"order".'),
    ],
)
def test_a_schema_named_by_a_word_of_sql_is_quoted(
    warehouse: str, schema: str, quoted: str
) -> None:
    """Each statement is read, and names the schema as it is called without quotes."""
    place = WarehousePlace(schema, ADDRESS, "volume", "s3://bucket/", "integration")
    made = write_warehouse_ddl(warehouse, place).statements
    views = [text for text in made if "CREATE OR REPLACE VIEW" in text]
    assert views
    assert all(f"VIEW {quoted}" in text and f"FROM {quoted}" in text for text in views)
    for text in made:
        if not text.startswith("CALL"):
            assert not list(parse(warehouse, text).find_all(exp.Command)), text
    calls = [text for text in made if text.startswith("CALL")]
    assert all('CALL "table".system.' in text and "=> 'Order'" in text for text in calls)


def test_the_command_writes_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address of the lake in the settings, and what it made as JSON."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", ADDRESS)
    out = tmp_path / "lake.sql"
    code, said, _ = run(
        capsys, "--for", "athena", "--schema", "llm", "--prefix", "our", "--out", str(out), "--json"
    )
    made: dict[str, Any] = json.loads(said)
    assert code == 0
    assert made["sql"] == out.read_text()
    assert made["tables"] == list(TABLES)
    assert made["views"] == ["our_otel_spans", "our_trace_unified"]
    assert f"LOCATION '{ADDRESS}/traces/'" in made["sql"]


def test_snowflake_finds_the_tables_in_its_volume(capsys: pytest.CaptureFixture[str]) -> None:
    """By paths from where the volume begins: the bucket, or a folder in it."""
    options = (*SNOWFLAKE, "--volume", "V", "--integration", "I")
    assert "BASE_LOCATION = 'llm/lake/traces'" in run(capsys, *options)[1]
    inside = run(capsys, *options, "--volume-address", "s3://bucket/llm")[1]
    assert "BASE_LOCATION = 'lake/traces'" in inside
    code, _, error = run(capsys, *options, "--volume-address", "s3://bucket/other/")
    assert code == 2
    assert "not in the external volume" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "bigquery"), "no column whose name begins with _partition"),
        (("--for", "athena", "--address", ADDRESS), "athena needs --schema DATABASE"),
        (("--for", "trino", "--address", ADDRESS, "--schema", "llm"), "form CATALOG.SCHEMA"),
        (("--for", "databricks", "--address", ADDRESS, "--schema", "a.b;c"), "'b;c' is no name"),
        (("--for", "athena", "--schema", "llm"), "or give the address of the lake"),
        (("--for", "athena", "--schema", "llm", "--address", "bucket/lake"), "is no address"),
        (("--for", "athena", "--schema", "llm", "--address", "s3://b/x'y"), "is no address"),
        (("--for", "athena", "--schema", "llm", "--address", "s3://b/x?y"), "is no address"),
        (("--for", "athena", "--schema", "llm", "--address", "s3a://b/x"), "Athena reads"),
        (("--for", "athena", "--schema", "1llm", "--address", ADDRESS), "no digit first"),
        (
            ("--for", "athena", "--schema", "llm", "--address", ADDRESS, "--out", "none/x.sql"),
            "cannot be written: No such file",
        ),
        (SNOWFLAKE, "snowflake needs --volume"),
        ((*SNOWFLAKE, "--volume", "V"), "snowflake needs --integration"),
        ((*SNOWFLAKE, "--volume", "V'", "--integration", "I"), "is no name"),
        (
            ("--for", "trino", "--address", ADDRESS, "--schema", "a.b", "--volume", "V"),
            "--volume is for snowflake",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what to write instead; the exit code is that of wrong usage."""
    code, _, error = run(capsys, *arguments)
    assert code == 2
    assert said in " ".join(error.split())


def test_the_commands_of_the_page_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each prints or writes statements; the page has one for each warehouse."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", ADDRESS)
    [block] = code_blocks("docs/warehouses.md")
    shown = set()
    for line in block.text.splitlines():
        goldpan, *arguments = shlex.split(line)
        assert (goldpan, run_command(arguments)) == ("goldpan", 0)
        shown.add(arguments[arguments.index("--for") + 1])
    assert shown == set(WAREHOUSES)
    assert "CREATE OR REPLACE VIEW" in (tmp_path / "lake.sql").read_text()
    assert "CREATE ICEBERG TABLE" in capsys.readouterr().out
