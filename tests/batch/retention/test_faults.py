"""Retention that is killed at any step: nothing is half gone, and the next run ends the same."""

from pathlib import Path

import pytest

from batch.retention.purge import purge_table
from lake.live_files import list_live_files
from lake.retention_horizon import TEXT_PART, complete_from
from lake.verify import verify_lake
from tests.batch.kill_jobs import expire_and_purge, expire_traces, killable
from tests.batch.retention.kit import (
    add_day,
    carried_out,
    new_lake,
    open_lake,
    table_rows,
    texts_on_disk,
)
from tests.kill_harness import outputs
from tests.lake.kit import patience
from tests.servers.s3 import S3


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.chaos)])
def test_killed_at_each_step_and_run_again(tmp_path: Path, every: int) -> None:
    """Every row is complete, or without its values once the log has recorded it."""
    lake = new_lake(tmp_path / "lake", days=4)
    before = {row["trace_id"]: row for row in table_rows(lake, "traces")}
    alive = tmp_path / "lived"
    new_lake(alive, days=4)
    expire_and_purge(alive)
    wanted = table_rows(open_lake(alive), "traces")
    steps = slice(None, None, every)
    for copy in killable("purge").killed_copies(tmp_path / "lake", tmp_path, steps):
        dead = open_lake(copy)
        assert verify_lake(dead, deep=True).problems == [], copy.name
        whole = complete_from(dead.table("traces"), TEXT_PART)
        for row in table_rows(dead, "traces"):
            old = before[row["trace_id"]]
            assert row == old or (whole is not None and row["event_date"] < whole)
        expire_and_purge(copy)
        assert table_rows(open_lake(copy), "traces") == wanted
        assert verify_lake(open_lake(copy), deep=True).problems == []
        assert texts_on_disk(copy / "traces") == texts_on_disk(alive / "traces")


@pytest.mark.s3
def test_on_a_bucket_with_versions_nothing_is_left(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge takes every version of what has expired, also of files that vacuum has removed."""
    for name, value in s3.env().items():
        if not name.startswith("GOLDPAN_"):
            monkeypatch.setenv(name, value)
    uri = s3.new_lake()
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    lake = new_lake(uri, s3_endpoint_url=s3.endpoint)
    table = lake.table("traces")
    table.refresh()
    first = {file.path for file in list_live_files(table)}
    carried_out(lake)
    table.refresh()
    left = first - {file.path for file in list_live_files(table)}
    vacuumed, *others = sorted(left)
    table.files.remove(vacuumed)  # as a vacuum does, which leaves the version
    # What is old is decided by the store's clock, which a test cannot turn.
    monkeypatch.setattr("batch.retention.purge.vacuum_table", lambda *_a, **_k: others)
    assert purge_table(table, keep_hours=1, retry=patience()) == others
    reply = s3.client().list_object_versions(Bucket=bucket, Prefix=f"{prefix}/traces/event_date")
    versions = [*reply.get("Versions", []), *reply.get("DeleteMarkers", [])]
    table.refresh()
    live = {file.path for file in list_live_files(table)}
    assert {item["Key"].split("/traces/")[1] for item in versions} == live


def test_three_at_once_beside_a_worker(tmp_path: Path) -> None:
    """Each row is removed once, nothing else is removed, and all runs succeed."""
    lake = new_lake(tmp_path / "lake", days=4)
    processes = [killable("expire").start(tmp_path / "lake") for _ in range(3)]
    for day in (3, 1, 0, 2):
        add_day(lake, day)
    outputs(processes)
    expire_traces(tmp_path / "lake")
    found = table_rows(open_lake(tmp_path / "lake"), "traces")
    assert [row["event_date"].day for row in found if row["response"]] == [4] * 6
    assert len([row for row in found if row["event_date"].day in (2, 3)]) == 12
    assert verify_lake(open_lake(tmp_path / "lake"), deep=True).problems == []
