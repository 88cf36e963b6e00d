"""What the tests of replays share: a lake, and a replay of a part of it that is staged."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from itertools import count
from pathlib import Path

from lake.config import LakeSettings
from lake.tables import Lake
from stream.replay.plan import ReplayPlan
from stream.replay.replay_range import ReplaySpan
from stream.replay.repository import ReplayRepository
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    START,
    TOPIC,
    append,
    make_lake,
    open_lake,
    set_aside,
)

TOKENS = count(10_000)
LATER = START + timedelta(hours=1)
"""When the replay staged its rows: they are told from the live ones by it."""
BAD, NOW_BAD = {2, 5, 7}, {5, 6}
"""Offsets of partition 0 that are in quarantine, and those that the replay sets aside."""
RANGE = range(3, 9)


def filled_lake(folder: Path) -> Lake:
    """Twelve records of one partition, in two flushes, and five of another; some set aside."""
    lake = make_lake(folder)
    for source, start, end, bad in (
        (SOURCE, None, 6, BAD & set(range(6))),
        (SOURCE, 6, 12, BAD & set(range(6, 12))),
        (OTHER, None, 5, {2}),
    ):
        set_aside(lake, start, end, bad, source=source, token=end)
        append(lake.table("feedback"), start, end, source=source, quarantined=bad, token=end)
    return lake


def staging(folder: Path) -> ReplayRepository:
    """Return the replays of the lake, with handles of its own."""
    return ReplayRepository(LakeSettings(uri=str(folder / "lake")), open_lake(folder))


def stage(
    folder: Path,
    *,
    name: str = "r1",
    upto: int | None = None,
    absent: Iterable[int] = (),
    now_bad: Collection[int] = frozenset(NOW_BAD),
) -> ReplayPlan:
    """Stage a replay of offsets 3 to 8 of partition 0; ``absent`` are gone from Kafka."""
    spans = [ReplaySpan(SOURCE.partition, RANGE.start, RANGE.stop)]
    plan = ReplayPlan(name, next(TOKENS), TOPIC, "feedback", "p2", False, "x", HERE, None, spans, 0)
    plan = staging(folder).begin(plan)
    tables, end = staging(folder).lake(name), upto or RANGE.stop
    gone, bad = set(absent), set(now_bad) & set(RANGE)
    set_aside(
        tables, None, RANGE.start, set(), token=1, ingested_at=LATER
    )  # the positions where it begins
    append(tables.table("feedback"), None, RANGE.start, quarantined=range(RANGE.start), token=1)
    set_aside(tables, RANGE.start, end, bad - gone, token=2, ingested_at=LATER)
    append(
        tables.table("feedback"),
        RANGE.start,
        end,
        quarantined=bad | gone,
        token=2,
        ingested_at=LATER,
    )
    return plan
