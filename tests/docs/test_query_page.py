"""The queries of `docs/query.md` run, and each engine finds the traces and labels in force."""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from goldpan.cli.main import run_command
from schemas.assembly_columns import AssemblyFacts
from schemas.trace_in_force import choose_in_force, in_force_sql
from tests.batch.kit import new_lake, put, put_assembled
from tests.batch.test_reconcile import world
from tests.docs.pages import code_blocks, read_page
from tests.labels.kit import trace
from tests.partners.environment import Partners
from tests.servers.worker import TEST_KEY
from tests.short_versions import short

BLOCKS = code_blocks("docs/query.md")
SQL = [block.text for block in BLOCKS if block.language == "sql"]
PYTHON = [block.text for block in BLOCKS if block.language == "python"]
SMALL_SPARK = (
    "--master local[1] --conf spark.sql.shuffle.partitions=2 --conf spark.ui.enabled=false "
    "--conf spark.driver.host=127.0.0.1 pyspark-shell"
)
"""Spark for a few rows: by default it makes 200 tasks of each join."""
TABLES = ("traces", "feedback", "labels", "quarantine", "redactions")


def _python(word: str) -> str:
    [text] = [text for text in PYTHON if word in text]
    return text


@pytest.fixture(scope="module")
def query_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lake with ids that were sent twice, and labels of several revisions."""
    folder = tmp_path_factory.mktemp("query")
    lake = new_lake(folder / "lake", world(60))
    put(lake, [trace("t1", app="another"), trace("t2", app="another")])
    put_assembled(
        lake,
        [
            (trace("t3", app="of-spans"), AssemblyFacts(1, "m")),
            (trace("o1", app="of-spans"), AssemblyFacts(2, "m", ["root_missing"])),
            (trace("o1", at=90_000, app="first"), AssemblyFacts(1, "m")),
            (trace("o2", app="of-spans"), AssemblyFacts(1, "m")),
            (trace("o2", app="of-spans"), AssemblyFacts(2, "m", duplicate_of="o1")),
        ],
    )
    policy = folder / "policy.yaml"
    with pytest.MonkeyPatch.context() as env:
        env.chdir(folder)
        env.setenv("GOLDPAN_LAKE__URI", "lake")
        env.setenv("GOLDPAN_LABELS__POLICY", str(policy))
        env.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
        for version, command in ((1, "reconcile"), (2, "rebuild")):
            policy.write_text(f"extends: agent\nname: page\nversion: {version}\n")
            assert run_command(["labels", command]) == 0
        (folder / "in_force.sql").write_text(SQL[0])
        yield


def _rows(table: str) -> list[dict[str, Any]]:
    return list(DeltaTable(f"lake/{table}").to_pyarrow_table().to_pylist())


def _expected() -> list[list[Any]]:
    """Return what the page's query must find, counted in Python from the rules of the page."""
    by_trace: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows("traces"):
        by_trace[row["trace_id"]].append(row)
    chosen = {trace_id: choose_in_force(rows) for trace_id, rows in by_trace.items()}
    traces = {trace_id: row for trace_id, row in chosen.items() if row is not None}
    assert {row["app"] for row in traces.values()} == {"shop", "of-spans"}
    labels: dict[str, dict[str, Any]] = {}
    for row in _rows("labels"):
        rank = (row["revision"], row["decided_at"], row["label_event_id"])
        before = labels.setdefault(row["trace_id"], row)
        if rank > (before["revision"], before["decided_at"], before["label_event_id"]):
            labels[row["trace_id"]] = row
    groups: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for trace_id, row in traces.items():
        label = labels.get(trace_id, {"label": None, "p_fail": None})
        groups[row["app"], label["label"]].append(label["p_fail"])
    return [
        [app, label, len(p), round(fmean(p), 3) if label else None]
        for (app, label), p in groups.items()
    ]


def _same(rows: list[list[Any]], expected: list[list[Any]]) -> bool:
    def key(row: list[Any]) -> str:
        return json.dumps(row[:3])

    return sorted(map(list, rows), key=key) == [
        [*row[:3], pytest.approx(row[3], abs=0.0011)] for row in sorted(expected, key=key)
    ]


@pytest.mark.usefixtures("query_lake")
def test_the_world_has_what_the_rules_are_about() -> None:
    """Ids that came twice, labels of several revisions, and traces without a label."""
    traces, labels = ([row["trace_id"] for row in _rows(name)] for name in ("traces", "labels"))
    assert len(set(traces)) < len(traces)
    assert len(set(labels)) < len(labels)
    assert set(traces) - set(labels)


@pytest.mark.usefixtures("query_lake")
def test_duckdb() -> None:
    """As it stands on the page."""
    scope: dict[str, Any] = {}
    exec(compile(_python("import duckdb"), "docs/query.md", "exec"), scope)  # noqa: S102
    assert _same(scope["result"].fetchall(), _expected())


ENGINES = ["import polars", "to_pandas", "pyspark"]


@pytest.mark.parametrize("engine", short(ENGINES, ENGINES[:2]))
@pytest.mark.usefixtures("query_lake")
def test_the_other_engines(
    engine: str, partners: Partners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finds the same as DuckDB."""
    if engine == "pyspark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", SMALL_SPARK)
    snippet = tmp_path / "snippet.py"
    snippet.write_text(_python(engine))
    rows = partners.run("run_query.py", snippet, cwd=Path.cwd())
    assert _same(rows, _expected())


@pytest.mark.parametrize("number", range(2, len(SQL)))
@pytest.mark.usefixtures("query_lake")
def test_a_question(number: int) -> None:
    """Each further query is one of the contract's columns."""
    with duckdb.connect() as connection:
        for name in TABLES:
            connection.register(name, DeltaTable(f"lake/{name}").to_pyarrow_dataset())
        connection.execute(SQL[1])
        connection.sql(SQL[number]).fetchall()


@pytest.mark.usefixtures("query_lake")
def test_the_view_of_traces_in_force() -> None:
    """It is the rule that the rest of goldpan has."""
    with duckdb.connect() as connection:
        connection.register("traces", DeltaTable("lake/traces").to_pyarrow_dataset())
        connection.execute(SQL[1])
        columns = "trace_id, revision, _offset"
        found = connection.sql(f"SELECT {columns} FROM trace").fetchall()  # noqa: S608
        expected = connection.sql(in_force_sql("traces", columns)).fetchall()
    assert sorted(map(str, found)) == sorted(map(str, expected))


@pytest.mark.usefixtures("query_lake")
def test_the_commands_of_the_page() -> None:
    """Each writes its views."""
    [shell] = [block.text for block in BLOCKS if block.language == "shell"]
    for line in shell.splitlines():
        assert run_command(line.split()[1:]) == 0, line
    assert "_trace_unified" in Path("views.sql").read_text()


@pytest.mark.usefixtures("query_lake")
def test_the_lake_as_it_was() -> None:
    """The first version is the empty table, and every version is listed."""
    scope: dict[str, Any] = {}
    exec(compile(_python("version=0"), "docs/query.md", "exec"), scope)  # noqa: S102
    assert len(scope["result"]) == DeltaTable("lake/traces").version() + 1


def test_every_snippet_of_the_page_is_run() -> None:
    """The tests above cover all blocks: SQL for the engines, further questions, and Python."""
    assert {block.language for block in BLOCKS} == {"sql", "python", "shell"}
    assert len(PYTHON) == 5
    assert re.search(r"docs/test_query_page", read_page("docs/query.md"))
