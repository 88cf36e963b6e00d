"""All who add files to a table do it through one function, which puts their hashes down."""

import json
import re
from datetime import date
from pathlib import Path

from batch.compaction import compact_batches, plan_compaction
from lake.table_layouts import TABLE_LAYOUTS
from schemas.arrow import SPANS_TABLE
from tests.batch.kit import POLICY, desk, judge, means, new_lake, reconciled
from tests.batch.retention.kit import add_day, carried_out
from tests.batch.retention.kit import new_lake as aged_lake
from tests.labels.kit import feedback, trace
from tests.lake.kit import commit_context
from tests.tampering.measure import proved
from tests.tampering.scene import open_lake

ROOT = Path(__file__).parents[2]
ADDS = re.compile(r"create_write_transaction\(|write_deltalake\(|\.optimize\.|\.merge\(")


def test_one_place_adds_files() -> None:
    """No other module of goldpan asks delta-rs to add one."""
    rooms = ("batch", "goldpan", "labels", "lake", "redact", "schemas", "stream")
    found = [
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
        if ADDS.search(re.sub(r"def create_write_transaction\(", "", path.read_text("utf-8")))
    ]
    assert found == ["lake/commit.py"]


def test_labels_and_reviews(tmp_path: Path) -> None:
    """The batch job of labels and the review desk."""
    lake = new_lake(tmp_path, [trace("t1"), feedback("f1", "t1")])
    reconciled(lake)
    judge(desk(lake, POLICY), "t1", "somebody")
    assert_hashed(tmp_path, {"traces", "feedback", "labels"})


def test_retention_that_clears_values(tmp_path: Path) -> None:
    """Files that are written again without texts."""
    aged_lake(tmp_path)
    carried_out(open_lake(tmp_path))
    assert_hashed(tmp_path, set(TABLE_LAYOUTS) - {SPANS_TABLE})


def test_compaction(tmp_path: Path) -> None:
    """Files that are put together."""
    lake = aged_lake(tmp_path)
    for day in range(6):
        add_day(lake, day)
    table, given = lake.table("traces"), means()
    batches = plan_compaction(table, before=date(2030, 1, 1))
    done = compact_batches(
        table,
        batches,
        commit_context(
            given.retry, now_us=lambda: 1_762_000_000_000_000, new_token=given.new_token
        ),
    )
    assert list(done)
    assert_hashed(tmp_path, set(TABLE_LAYOUTS) - {SPANS_TABLE})


def assert_hashed(folder: Path, tables: set[str]) -> None:
    """Every file of a lake has a hash, which fits; each of these tables has files."""
    report = proved(folder, deep=True)
    assert report.files is not None
    assert (report.files.unproved, report.files.hashed > 0) == ([], True)
    assert not [one for one in report.problems if "SHA-256" in one]
    adds = {name for name in TABLE_LAYOUTS for path in (folder / name).rglob("*.parquet")}
    assert tables <= adds, json.dumps(sorted(adds))
