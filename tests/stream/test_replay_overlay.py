"""The table as a replay would leave it is the table as it leaves it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from labels.digests import DigestSet
from lake.tables import Lake
from stream.replay.overlay import ReplayOverlay, read_trace_ids
from stream.replay.plan import ReplayPlan
from stream.replay.replay_range import ReplaySpan
from stream.replay.repository import TOUCHED_TRACES, UNCHANGED_TRACES
from stream.replay.table_pair import TablePair
from tests.stream.replays import filled_lake, promotion, stage, staging

COLUMNS = ("trace_id", "_partition", "_offset", "_ingested_at")


def overlay(lake: Lake, folder: Path, plan: ReplayPlan) -> ReplayOverlay:
    """Return the overlay of a replay of feedback."""
    stage_lake = staging(folder).lake(plan.name)
    pairs = [
        TablePair(one.table("feedback"), one.table("quarantine")) for one in (lake, stage_lake)
    ]
    return ReplayOverlay(plan, *pairs)


def told(batches: Iterable[object]) -> list[tuple[object, ...]]:
    """Return rows in order."""
    rows = [row for batch in batches for row in batch.to_pylist()]  # type: ignore[attr-defined]
    return sorted(tuple(row[name] for name in COLUMNS) for row in rows)


@pytest.mark.parametrize("absent", [(), (4, 5, 7)])
def test_what_is_decided_from_is_what_will_be_there(tmp_path: Path, absent: tuple[int]) -> None:
    """Rows that change, come and go, and those that stay since they could not be read again."""
    lake = filled_lake(tmp_path)
    plan = stage(tmp_path, absent=absent)
    lake.table("feedback").refresh()
    before = told(lake.table("feedback").batches(COLUMNS))
    found = told(overlay(lake, tmp_path, plan).batches(COLUMNS))
    assert told(lake.table("feedback").batches(COLUMNS)) == before != found
    promotion(tmp_path).run()
    lake.table("feedback").refresh()
    assert found == told(lake.table("feedback").batches(COLUMNS))


def test_the_traces_of_the_range_and_no_others_are_meant(tmp_path: Path) -> None:
    """They are noted without their ids, and what was noted before stays noted."""
    lake = filled_lake(tmp_path)
    plan = stage(tmp_path)
    table = lake.table("feedback")
    table.refresh()
    found = read_trace_ids(table, plan)
    assert (len(found), "t" in found) == (1, True)
    elsewhere = replace(plan, spans=[ReplaySpan(7, 0, 100)])
    assert len(read_trace_ids(table, elsewhere)) == 0
    assert len(read_trace_ids(table, replace(plan, topic="another"))) == 0
    room = staging(tmp_path)
    for noted in (found, DigestSet.of(["a-trace-id"], str(plan.replay_id))):
        room.note(plan, TOUCHED_TRACES, noted)
    assert (len(room.noted(plan, TOUCHED_TRACES)), len(room.noted(plan, UNCHANGED_TRACES))) == (
        2,
        0,
    )
    assert b"a-trace-id" not in (tmp_path / "lake/replays/r1/touched").read_bytes()
