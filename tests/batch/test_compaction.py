"""Compaction changes no row, beside any other writer and whenever it is killed."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.compaction import CompactedBatch, CompactionBatch, compact_batches, plan_compaction
from batch.release.publish.build import publish_draft
from lake.config import LakeSettings
from lake.live_files import list_live_files
from lake.tables import Lake, Table
from lake.vacuum import vacuum_table
from lake.verify import verify_lake
from schemas.errors import UsageError
from tests.batch.kill_jobs import killable
from tests.batch.release.kit import contents, drafted, open_repository
from tests.batch.release.world import add, conversations, labels_for, make_lake
from tests.lake.kit import commit_context

AFTER = date(2027, 1, 1)


@pytest.fixture
def many_files(tmp_path: Path) -> Lake:
    """A lake whose days have several small files."""
    traces = conversations(3)
    made = make_lake(tmp_path / "lake", traces[:300], labels_for(traces[:300]))
    add(made, "traces", traces[300:])
    return made


def again(lake: Lake) -> Lake:
    """Open a lake as another process would."""
    return Lake(LakeSettings(uri=lake.location.uri))


def rows_of(lake: Lake, name: str = "traces") -> list[dict[str, Any]]:
    """Return all rows of a table in the order of their coordinates."""
    table = again(lake).table(name)
    found: pa.Table = table.handle.to_pyarrow_dataset().to_table()
    order = [("_topic", "ascending"), ("_partition", "ascending"), ("_offset", "ascending")]
    return list(found.sort_by(order).to_pylist())


def run(table: Table, batches: list[CompactionBatch]) -> list[CompactedBatch]:
    """Compact and return what was done."""
    tokens = iter(range(1, 1000))
    return list(compact_batches(table, batches, commit_context(new_token=lambda: next(tokens))))


def files_by_day(lake: Lake) -> dict[date, int]:
    """Return how many files each day of traces has."""
    table = again(lake).table("traces")
    counts: dict[date, int] = {}
    for file in list_live_files(table):
        counts[file.day] = counts.get(file.day, 0) + 1
    return counts


def test_the_rows_stay_the_same_and_the_files_get_few(many_files: Lake) -> None:
    """One file a day, every row as before, every law of the ledger kept; then nothing is left."""
    before, labels = rows_of(many_files), rows_of(many_files, "labels")
    for name in ("traces", "labels"):
        table = many_files.table(name)
        assert all(one.bytes for one in run(table, plan_compaction(table, before=AFTER)))
    assert set(files_by_day(many_files).values()) == {1}
    assert rows_of(many_files) == before
    assert rows_of(many_files, "labels") == labels
    report = verify_lake(again(many_files), deep=True)
    assert report.problems == []
    assert plan_compaction(many_files.table("traces"), before=AFTER) == []


def test_compacted_rows_are_sorted(many_files: Lake) -> None:
    """In a compacted file traces are in the order of time, so that a window skips row groups."""
    table = many_files.table("traces")
    run(table, plan_compaction(table, before=AFTER))
    table.refresh()
    for file in list_live_files(table):
        data = pq.read_table(pa.BufferReader(table.files.get(file.path)), columns=["started_at"])
        times = data["started_at"].to_pylist()
        assert times == sorted(times)


def test_open_days_are_left_alone(many_files: Lake) -> None:
    """Days from the given one on are not in the plan."""
    third = date(2026, 11, 3)
    assert {batch.day for batch in plan_compaction(many_files.table("traces"), before=third)} == {
        date(2026, 11, 1),
        date(2026, 11, 2),
    }


def test_files_go_together_up_to_the_target(many_files: Lake) -> None:
    """A portion is no larger than the target, and large files are left as they are."""
    table = many_files.table("traces")
    table.refresh()
    sizes = [file.bytes for file in list_live_files(table)]
    target = int(2.5 * max(sizes))
    batches = plan_compaction(table, before=AFTER, target_bytes=target)
    assert batches
    assert all(batch.bytes <= target for batch in batches)
    assert plan_compaction(table, before=AFTER, target_bytes=min(sizes)) == []


def test_two_at_once_both_end_well(many_files: Lake) -> None:
    """Of two compactions with the same plan one does the work, and the rows stay the same."""
    before = rows_of(many_files)
    one, two = many_files.table("traces"), again(many_files).table("traces")
    plans = plan_compaction(one, before=AFTER), plan_compaction(two, before=AFTER)
    first, second = run(one, plans[0]), run(two, plans[1])
    assert all(done.bytes for done in first)
    assert not any(done.bytes for done in second)
    assert rows_of(many_files) == before
    assert verify_lake(again(many_files), deep=True).problems == []


def test_a_worker_that_appends_meanwhile_is_not_disturbed(many_files: Lake) -> None:
    """Rows that are committed between the plan and its execution are there, once."""
    table = many_files.table("traces")
    batches = plan_compaction(table, before=AFTER)
    more = [{**t, "trace_id": f"late-{i}"} for i, t in enumerate(conversations(1)[:50])]
    add(again(many_files), "traces", more)
    run(table, batches)
    assert len([r for r in rows_of(many_files) if r["trace_id"].startswith("late-")]) == 50
    assert verify_lake(again(many_files), deep=True).problems == []


def test_a_release_is_the_same_after_compaction(many_files: Lake, tmp_path: Path) -> None:
    """Built before and after compaction and vacuum, every byte of a release is the same."""
    made = drafted(again(many_files), size=16)
    publish_draft(made, open_repository(tmp_path / "before"))
    for name in ("traces", "labels"):
        table = many_files.table(name)
        run(table, plan_compaction(table, before=AFTER))
    publish_draft(drafted(again(many_files), size=16), open_repository(tmp_path / "after"))
    assert contents(tmp_path / "before") == contents(tmp_path / "after")


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.chaos)])
def test_killed_at_a_step_and_run_again(many_files: Lake, tmp_path: Path, every: int) -> None:
    """After SIGKILL no row is lost or changed, and the next compaction finishes."""
    before = rows_of(many_files)
    original = Path(many_files.location.uri)
    steps = slice(None, None, every)
    for copy in killable("compact").killed_copies(original, tmp_path / "killed", steps):
        killed = Lake(LakeSettings(uri=str(copy)))
        assert rows_of(killed) == before
        table = again(killed).table("traces")
        run(table, plan_compaction(table, before=AFTER))
        assert set(files_by_day(killed).values()) == {1}
        assert rows_of(killed) == before
        assert verify_lake(again(killed), deep=True).problems == []


def test_vacuum_removes_what_left_the_table_and_nothing_else(many_files: Lake) -> None:
    """Old files of compacted days go once they are old enough; every row stays readable."""
    before = rows_of(many_files)
    table = many_files.table("traces")
    old = {file.path for batch in plan_compaction(table, before=AFTER) for file in batch.files}
    run(table, plan_compaction(table, before=AFTER))  # says that it happened in 1970
    folder = Path(many_files.location.uri) / "traces"
    for path in old:
        os.utime(folder / path, (0, 0))
    young = folder / "event_date=2026-11-01" / "upload-under-way.parquet"
    young.write_bytes(b"x")
    told = vacuum_table(table, keep_hours=1, dry_run=True)
    assert set(told) == old
    assert all((folder / path).exists() for path in old)
    assert set(vacuum_table(table, keep_hours=1, dry_run=False)) == old
    assert not any((folder / path).exists() for path in old)
    assert young.exists()
    assert vacuum_table(again(many_files).table("traces"), keep_hours=1, dry_run=False) == []
    assert rows_of(many_files) == before
    assert verify_lake(again(many_files), deep=True).problems == []


def test_vacuum_refuses_to_touch_what_may_be_in_use(many_files: Lake) -> None:
    """Files that are younger than an hour may belong to a flush that is under way."""
    with pytest.raises(UsageError, match="may be in use"):
        vacuum_table(many_files.table("traces"), keep_hours=0, dry_run=True)
