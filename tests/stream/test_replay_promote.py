"""A replay takes the place of the rows of its range, once, whatever happens on the way."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lake.config import LakeSettings
from lake.tables import Lake
from lake.verify import verify
from stream.replay_bounds import Span
from stream.replay_plan import Plan
from stream.replay_promote import Means, Promotion
from stream.replay_staging import Staging, State
from stream.replay_steps import ReplayStep
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    START,
    TOPIC,
    append,
    make_lake,
    open_lake,
    patience,
    set_aside,
)

TOKENS = count(10_000)
NOW = int((START + timedelta(hours=2)).timestamp()) * 1_000_000
LATER = START + timedelta(hours=1)
"""When the replay staged its rows: they are told from the live ones by it."""
BAD, NOW_BAD = {2, 5, 7}, {5, 6}
"""Offsets of partition 0 that are in quarantine, and those that the replay sets aside."""
RANGE = range(3, 9)
STEPS = [step for step in ReplayStep if step is not ReplayStep.AUDIT_COMMITTED]


class CrashError(Exception):
    """The process dies here."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Twelve records of one partition, in two flushes, and five of another; some set aside."""
    lake = make_lake(tmp_path)
    for source, start, end, bad in (
        (SOURCE, None, 6, BAD & set(range(6))),
        (SOURCE, 6, 12, BAD & set(range(6, 12))),
        (OTHER, None, 5, {2}),
    ):
        set_aside(lake, start, end, bad, source=source, token=end)
        append(lake.table("feedback"), start, end, source=source, quarantined=bad, token=end)
    return lake


def staging(folder: Path) -> Staging:
    """Return the replays of the lake, with handles of its own."""
    return Staging(LakeSettings(uri=str(folder / "lake")), open_lake(folder))


def stage(
    folder: Path, *, name: str = "r1", upto: int | None = None, absent: Iterable[int] = ()
) -> Plan:
    """Stage a replay of offsets 3 to 8 of partition 0; ``absent`` are gone from Kafka."""
    spans = [Span(SOURCE.partition, RANGE.start, RANGE.stop)]
    plan = Plan(name, next(TOKENS), TOPIC, "feedback", "p2", False, "x", HERE, None, spans, 0)
    plan = staging(folder).begin(plan)
    tables, end = staging(folder).lake(name), upto or RANGE.stop
    gone = set(absent)
    set_aside(
        tables, None, RANGE.start, set(), token=1, ingested_at=LATER
    )  # the positions where it begins
    append(tables.table("feedback"), None, RANGE.start, quarantined=range(RANGE.start), token=1)
    set_aside(tables, RANGE.start, end, NOW_BAD - gone, token=2, ingested_at=LATER)
    append(
        tables.table("feedback"),
        RANGE.start,
        end,
        quarantined=NOW_BAD | gone,
        token=2,
        ingested_at=LATER,
    )
    return plan


def promotion(
    folder: Path, reached: Callable[[ReplayStep], None] = lambda _step: None, name: str = "r1"
) -> Promotion:
    """Return what promotes the replay."""
    means = Means(patience(), lambda: NOW, lambda: next(TOKENS), reached, lambda *_told: None)
    return Promotion(staging(folder), name, means)


def ingested(lake: Lake, table: str) -> dict[tuple[int, int], Any]:
    """Return when each row of a table was ingested, by partition and offset; each is there once."""
    lake.table(table).refresh()
    found = lake.table(table).read(["_partition", "_offset", "_ingested_at"]).to_pylist()
    told = {(row["_partition"], row["_offset"]): row["_ingested_at"] for row in found}
    assert len(told) == len(found)
    return told


def assert_promoted(lake: Lake) -> None:
    """The rows of the range are the staged ones, all others are as they were, the laws hold."""
    stored, aside = ingested(lake, "feedback"), ingested(lake, "quarantine")
    assert {o for p, o in stored if p == 0} == set(range(12)) - {2} - NOW_BAD
    assert {o for p, o in aside if p == 0} == {2} | NOW_BAD
    assert {o for p, o in stored if p == 1} == {0, 1, 3, 4}
    new = {at for at, when in {**stored, **aside}.items() if when == LATER}
    assert new == {(0, offset) for offset in RANGE}
    assert verify(lake, deep=True).problems == []


def test_the_range_is_swapped_in(lake: Lake, tmp_path: Path) -> None:
    """Rows change, come out of quarantine, and go there; nothing else is touched."""
    stage(tmp_path)
    assert staging(tmp_path).progress("r1").state is State.STAGED
    promotion(tmp_path).run()
    assert_promoted(lake)
    assert staging(tmp_path).progress("r1").state is State.PROMOTED
    report = {p.partition: p for p in verify(lake).partitions}
    assert (report[0].stored, report[0].quarantined) == (9, 3)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_run_again(
    lake: Lake, tmp_path: Path, step: ReplayStep, nth: int
) -> None:
    """The same command goes on and comes to the same end; nothing is ever in neither table."""
    stage(tmp_path)
    left = [nth]

    def crash(reached: ReplayStep) -> None:
        if reached is step:
            left[0] -= 1
            if not left[0]:
                raise CrashError

    if nth == 1 or step is ReplayStep.FILE_REMOVED:
        with pytest.raises(CrashError):
            promotion(tmp_path, crash).run()
        everywhere = {*ingested(lake, "feedback"), *ingested(lake, "quarantine")}
        assert everywhere == {*((0, o) for o in range(12)), *((1, o) for o in range(5))}
    promotion(tmp_path, crash).run()
    assert_promoted(lake)
