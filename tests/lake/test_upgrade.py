"""Tables of an older version get the columns that they lack, beside whoever uses them."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from batch.compaction import compact_batches, plan_compaction
from goldpan.cli.main import run_command
from lake.config import LakeSettings
from lake.ledger import SourcePartition
from lake.live_files import list_live_files, read_file_rows, rewrite_rows
from lake.schema_check import missing_columns
from lake.table_layouts import LATER_TABLES, TABLE_LAYOUTS
from lake.tables import Lake
from lake.upgrade import AddedColumns, upgrade_lake
from schemas.arrow import TABLES
from schemas.assembly_columns import ASSEMBLY_COLUMNS, AssemblyFacts
from schemas.errors import FatalError
from schemas.redacted import Redacted
from tests.batch.kit import append, put, put_assembled
from tests.labels.kit import rows, trace
from tests.lake.kit import commit_context, patience

NEW = {
    "traces": ("app_version", "cost_usd"),
    "feedback": ("comment",),
    "labels": ("p_fail_low", "p_fail_high"),
}
"""What an older version did not have, here."""


def older(folder: Path) -> Lake:
    """A lake as an older version made it."""
    for name, schema in TABLES.items():
        columns = [field for field in schema.arrow if field.name not in NEW.get(name, ())]
        DeltaTable.create(
            str(folder / name), pa.schema(columns), name=name, partition_by=["event_date"]
        )
    return Lake(LakeSettings(uri=str(folder)))


def test_an_older_lake_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """The sentence names the columns and the command."""
    with pytest.raises(FatalError, match=r"lacks app_version, cost_usd.*goldpan lake upgrade"):
        older(tmp_path).table("traces")


def test_columns_are_added_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run tells them and adds none; the second run has nothing to do; rows go in and out."""
    older(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path))
    for options, told in (
        (["--dry-run"], "table traces: columns to be added: app_version, cost_usd"),
        ([], "table traces: columns added: app_version, cost_usd"),
        ([], "all tables have the columns of this version"),
    ):
        assert run_command(["lake", "upgrade", *options]) == 0
        assert told in capsys.readouterr().out
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    put(lake, [trace("t-1")])
    table = lake.table("traces")
    table.refresh()
    assert table.read(["trace_id", "app_version"]).to_pylist() == [
        {"trace_id": "t-1", "app_version": None}
    ]


def test_many_upgrades_at_once_are_one(tmp_path: Path) -> None:
    """Each column is there once, whoever won."""
    older(tmp_path)

    def one(_: int) -> list[AddedColumns]:
        return upgrade_lake(Lake(LakeSettings(uri=str(tmp_path))), patience())

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(one, range(4)))) == 4
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    for name in TABLE_LAYOUTS:
        names = [field.name for field in lake.handle(name).schema().fields]
        assert sorted(names) == sorted(TABLES[name].arrow.names)


def test_rows_of_before_are_read_and_written_again(tmp_path: Path) -> None:
    """A file without the new column gives rows in which it is empty."""
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    lake.init()
    put(lake, [trace("t-1"), trace("t-2")])
    table = lake.table("traces")
    table.refresh()
    (file,) = list_live_files(table)
    old = read_file_rows(table, file)
    schema = old.rows.schema
    bare = old.rows.drop_columns(["app_version", "cost_usd"])
    path = tmp_path / "traces" / file.path
    pq.write_table(bare, path)
    found = read_file_rows(table, file)
    assert found.rows.schema == schema
    assert found.rows["app_version"].null_count == 2
    assert rewrite_rows(table, found, instead_of=[file], retry=patience()).rows == 2


def test_a_worker_of_the_version_before_writes_on(tmp_path: Path) -> None:
    """Its files lack the new columns; its rows have null there, also after they were compacted."""
    older(tmp_path)
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    upgrade_lake(lake, patience())
    source = SourcePartition("llm.traces", 0)
    for start, trace_id in enumerate(("t-1", "t-2")):
        made = rows([trace(trace_id)], start=start)
        at = made.schema.get_field_index("_topic")
        before = made.set_column(at, made.schema.field(at), pa.array([source.topic]))
        before = before.drop_columns([*ASSEMBLY_COLUMNS.names, "_index"])
        append(lake, "traces", Redacted(before, "p"), source, start)
    put_assembled(lake, [(trace("t-3"), AssemblyFacts(1, "m", sampling_probability=0.5))])
    table = lake.table("traces")
    columns = ["trace_id", "revision", "incomplete", "sampling_probability", "_index"]
    expected: list[tuple[object, ...]] = [
        ("t-1", *[None] * 4),
        ("t-2", *[None] * 4),
        ("t-3", 1, [], 0.5, None),
    ]

    def stored() -> list[tuple[object, ...]]:
        table.refresh()
        return sorted(tuple(row.values()) for row in table.read(columns).to_pylist())

    assert stored() == expected
    batches = plan_compaction(table, before=date(2027, 1, 1))
    assert [done.superseded for done in compact_batches(table, batches, commit_context())] == [0]
    assert stored() == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.remove(s.get_field_index("trace_id")), "lacks trace_id.*must not be null"),
        (
            lambda s: s.set(s.get_field_index("latency_ms"), pa.field("latency_ms", pa.string())),
            "has another type for latency_ms",
        ),
    ],
)
def test_what_cannot_be_added_changes_nothing(tmp_path: Path, change: object, says: str) -> None:
    """Neither in this table nor in another that could be upgraded."""
    lake = older(tmp_path / "lake")
    schema = change(TABLES["traces"].arrow)  # type: ignore[operator]
    for file in sorted((tmp_path / "lake" / "traces").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    DeltaTable.create(str(tmp_path / "lake" / "traces"), schema, partition_by=["event_date"])
    with pytest.raises(FatalError, match=says):
        upgrade_lake(lake, patience())
    assert missing_columns(lake.handle("feedback"), TABLES["feedback"].arrow)


def _before_spans(folder: Path) -> Lake:
    """A lake of the version that knew no spans, with a row in it."""
    for name, schema in TABLES.items():
        if name not in LATER_TABLES:
            columns = [field for field in schema.arrow if field.name != "_index"]
            DeltaTable.create(
                str(folder / name), pa.schema(columns), name=name, partition_by=["event_date"]
            )
    return Lake(LakeSettings(uri=str(folder)))


def test_a_table_that_came_later_is_created_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run tells it and creates none; afterwards the lake is whole."""
    _before_spans(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path))
    for options, told in (
        (["--dry-run"], "table judgements: to be created"),
        (["--dry-run"], "table otel_spans: to be created"),
        ([], "table otel_spans: created"),
        ([], "all tables have the columns of this version"),
    ):
        assert run_command(["lake", "upgrade", *options]) == 0
        assert told in capsys.readouterr().out
        assert (tmp_path / "otel_spans").exists() == ("--dry-run" not in options)
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    put(lake, [trace("t-1")])
    assert lake.init() == []
    assert lake.table("otel_spans").row_count() == 0


def test_a_table_that_was_lost_is_not_made_again(tmp_path: Path) -> None:
    """The other tables have the columns that came with it, so it was there."""
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    lake.init()
    put(lake, [trace("t-1")])
    shutil.rmtree(tmp_path / "otel_spans")
    for use in (lambda one: upgrade_lake(one, patience()), Lake.init):
        with pytest.raises(FatalError, match=r"no table otel_spans.*restore it from a copy"):
            use(Lake(LakeSettings(uri=str(tmp_path))))


def test_a_used_lake_of_before_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A worker that may create tables creates none in it: it must be upgraded first."""
    lake = _before_spans(tmp_path)
    with pytest.raises(FatalError, match=r"lacks _index.*goldpan lake upgrade"):
        lake.init()


@pytest.mark.parametrize("name", ["judgements", "answer_reviews"])
def test_a_lake_from_before_a_table_gets_it(tmp_path: Path, name: str) -> None:
    """Nothing else came with it: `lake init` names the upgrade, and the upgrade makes it."""
    lake = Lake(LakeSettings(uri=str(tmp_path)))
    lake.init()
    put(lake, [trace("t-1")])
    shutil.rmtree(tmp_path / name)
    with pytest.raises(FatalError, match="goldpan lake upgrade"):
        Lake(LakeSettings(uri=str(tmp_path))).init()
    added = upgrade_lake(Lake(LakeSettings(uri=str(tmp_path))), patience())
    assert [(each.table, each.created) for each in added] == [(name, True)]
    assert Lake(LakeSettings(uri=str(tmp_path))).init() == []
    (tmp_path / name / "event_date=2026-11-01").mkdir()
    (tmp_path / name / "event_date=2026-11-01" / "a.parquet").write_bytes(b"x")
    shutil.rmtree(tmp_path / name / "_delta_log")
    with pytest.raises(FatalError, match="its log, the folder _delta_log, is missing"):
        upgrade_lake(Lake(LakeSettings(uri=str(tmp_path))), patience())
