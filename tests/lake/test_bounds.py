"""What the log says of files that are gone names no trace, and every reader still reads it."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from lake.commit import commit
from lake.delta_log import read_actions
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import replace_files
from lake.stats_bounds import widen_bounds
from lake.table_commit import Move, TableCommit
from lake.table_log import position_app
from lake.tables import Lake, Table
from lake.verify import verify_lake
from tests.lake.kit import (
    HERE,
    SOURCE,
    TOPIC,
    At,
    commit_context,
    make_lake,
    open_lake,
    patience,
    put,
    rows,
    set_aside,
    span,
)

GONE = "trace-of-someone"


@pytest.fixture
def compacted_lake(tmp_path: Path) -> Lake:
    """Flushes, a checkpoint, then a compaction, then another flush and its checkpoint."""
    lake = make_lake(tmp_path)
    table = lake.table("feedback")
    for start in range(0, 6, 2):
        flush(lake, start, f"{GONE}-{start}-" + "x" * 40 * (start > 0))
    table.refresh()
    table.checkpoint()
    old = list_live_files(table)
    new = rewrite_rows(
        table,
        concat_rows([read_file_rows(table, file) for file in old]),
        instead_of=old,
        retry=patience(),
    )
    kept = LedgerEntry(EntryKind.COMPACT, [])
    wanted = TableCommit(entry=kept, token=5, removes=old, adds=[new], same_rows=True)
    replace_files(table, wanted, commit_context())
    flush(lake, 6, "other")
    return lake


def flush(lake: Lake, start: int, trace_id: str) -> None:
    """Bring two rows into the lake."""
    set_aside(lake, start or None, start + 2, set(), token=start + 1)
    table, item = lake.table("feedback"), span(start, start + 2)
    found = rows([At(0, start), At(0, start + 1)], trace_id=trace_id)
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [item], {TOPIC: HERE}),
            token=start + 1,
            moves=[Move(position_app(SOURCE), start or None, start + 2)],
            adds=put(table, [found], item),
        ),
        commit_context(),
    )


def scrubbed(table: Table) -> int:
    """Widen the bounds of what is gone."""
    table.refresh()
    live = {file.path for file in list_live_files(table)}
    return widen_bounds(table.files, live, version=table.handle.version())


def log_of(table: Table) -> dict[str, bytes]:
    """All bytes of a table's log."""
    return {path: table.files.get(path) for path, _ in table.files.walk("_delta_log")}


def test_the_bounds_of_dead_files_are_gone(compacted_lake: Lake, tmp_path: Path) -> None:
    """From commits and checkpoints; the live file keeps its own, and a second run does nothing."""
    table = compacted_lake.table("feedback")
    before = log_of(table)
    dead = {f"{start:020}.json" for start in (1, 2, 3)}
    assert scrubbed(table) == 4
    after = log_of(table)
    changed = {path.removeprefix("_delta_log/") for path in after if after[path] != before[path]}
    assert changed == dead | {f"{3:020}.checkpoint.parquet"}
    named = [path for path, data in after.items() if GONE.encode() in data]
    assert named == [f"_delta_log/{4:020}.json"]  # the compacted file is live
    assert scrubbed(table) == 0


def test_every_reader_reads_the_same(compacted_lake: Lake, tmp_path: Path) -> None:
    """delta-rs at every version and with a filter, DuckDB, positions, and the proof of the log."""
    uri = str(tmp_path / "lake" / "feedback")
    versions = range(DeltaTable(uri).version() + 1)

    def told() -> list[Any]:
        counts = []
        for version in versions:
            dataset = DeltaTable(uri, version=version).to_pyarrow_dataset()
            by_id = dataset.scanner(filter=pc.field("trace_id") == f"{GONE}-0-").count_rows()
            (ducks,) = duckdb.execute(
                "select count(*), count(distinct trace_id) from dataset"
            ).fetchall()
            counts.append((dataset.count_rows(), by_id, ducks))
        return counts

    before = told()
    assert [by_id for _, by_id, _ in before] == [0, 2, 2, 2, 2, 2]
    scrubbed(compacted_lake.table("feedback"))
    assert told() == before
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []
    again = open_lake(tmp_path).table("feedback")
    assert again.positions([SOURCE]) == {SOURCE: 8}


def test_two_who_widen_at_once_keep_each_others_work(compacted_lake: Lake) -> None:
    """Each knows of other files that are gone; one reads what the other is about to write over."""
    table = compacted_lake.table("feedback")
    first, second = (f"_delta_log/{version:020}.json" for version in (1, 2))
    table.files.put(first, table.files.get(first) + table.files.get(second))
    paths = [add["path"] for add in read_actions(table.files, 1, "add") or []]
    find = table.files.find

    def late(path: str) -> bytes | None:
        found = find(path)
        if path == first:
            table.files.find = find  # type: ignore[method-assign]
            widen_bounds(table.files, paths[:1], version=1)
        return found

    table.files.find = late  # type: ignore[method-assign]
    widen_bounds(table.files, paths[1:], version=1)
    assert GONE.encode() not in table.files.get(first)


def test_what_dead_writers_left_in_the_log_goes(compacted_lake: Lake) -> None:
    """A commit that was never renamed holds statistics too; commits of later versions are left."""
    table = compacted_lake.table("feedback")
    before = log_of(table)
    table.files.put(f"_delta_log/{6:020}.json#1", GONE.encode())
    widen_bounds(table.files, [], version=0)
    assert log_of(table) == before
    scrubbed(table)
    assert set(log_of(table)) == set(before)
