"""Replays, crashes, redrives and compactions in any order: each record is once in the lake."""

import random
from contextlib import suppress
from pathlib import Path

import pytest

from lake.quarantine import QuarantineFilter
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import FatalError, FencedError
from stream.failpoints import ignore_step
from stream.replay.promotion import Promotion, PromotionContext
from stream.replay.repository import ReplayState
from stream.replay.steps import ReplayStep
from tests.lake.kit import (
    TOPIC,
    append,
    commit_context,
    make_lake,
    offsets,
    open_lake,
    set_aside,
)
from tests.stream.redrives import redrive
from tests.stream.replays import NOW, TOKENS, compact, stage, staging

ALL = range(12)
SEEDS = [pytest.param(s, marks=[pytest.mark.chaos] if s >= 1 else []) for s in range(60)]


class CrashError(Exception):
    """The process dies here."""


def some(rng: random.Random) -> set[int]:
    """Draw some of the offsets."""
    return {offset for offset in ALL if rng.random() < 0.4}


def disturb(rng: random.Random, folder: Path) -> None:
    """Do what others may do at any time."""
    if rng.random() < 0.5:
        compact(open_lake(folder), rng.choice(["feedback", "quarantine"]))
        return
    bad, dies = some(rng), rng.random() < 0.2

    def reached(_step: str) -> None:
        if dies:
            raise CrashError

    step = redrive(open_lake(folder), bad=lambda _p, o: o in bad, reached=reached)
    try:
        step.run(QuarantineFilter(TOPIC))
    except (FatalError, FencedError, CrashError):
        return


def promote(rng: random.Random, folder: Path, name: str) -> bool:
    """Promote for a while; return whether it came to its end."""
    deadly = rng.choice([*ReplayStep, None, None])

    def reached(step: ReplayStep) -> None:
        if step is deadly:
            raise CrashError
        if rng.random() < 0.15:
            disturb(rng, folder)

    means = PromotionContext(
        commit_context(now_us=lambda: NOW, new_token=lambda: next(TOKENS)),
        reached,
        lambda *_told: None,
    )
    try:
        Promotion(staging(folder), name, means).run()
    except (CrashError, FatalError):
        return False
    return True


def filled(rng: random.Random, folder: Path) -> Lake:
    """Return a lake of twelve records in three flushes, some of them set aside."""
    lake, bad = make_lake(folder), some(rng)
    for start, end in ((None, 4), (4, 7), (7, 12)):
        mine = bad & set(range(start or 0, end))
        set_aside(lake, start, end, mine, token=end)
        append(lake.table("feedback"), start, end, quarantined=mine, token=end)
    return lake


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes(tmp_path: Path, seed: int) -> None:
    """Two replays, one after the other or in each other's way, and all that disturbs them."""
    rng = random.Random(seed)  # noqa: S311 - repeatable
    lake = filled(rng, tmp_path)
    names = ["r1", "r2"]
    for name in names:
        stage(
            tmp_path, name=name, now_bad=some(rng), absent=some(rng) if rng.random() < 0.5 else ()
        )
    for _ in range(40):
        promote(rng, tmp_path, rng.choice(names))
        disturb(rng, tmp_path)
        everywhere = {*offsets(lake.table("feedback")), *offsets(lake.table("quarantine"))}
        assert everywhere == set(ALL)  # also in the midst of it
    finish(tmp_path, names)
    found = [*offsets(lake.table("feedback")), *offsets(lake.table("quarantine"))]
    assert sorted(found) == list(ALL)
    assert verify_lake(lake, deep=True).problems == []


def finish(folder: Path, names: list[str]) -> None:
    """Run again what was begun, in whichever order it is let, until all has come to its end."""
    for _ in range(3):
        with suppress(FatalError):
            redrive(open_lake(folder), bad=lambda _p, _o: True).run(QuarantineFilter(TOPIC))
        for name in names:
            means = PromotionContext(
                commit_context(now_us=lambda: NOW, new_token=lambda: next(TOKENS)),
                ignore_step,
                lambda *_told: None,
            )
            with suppress(FatalError):
                Promotion(staging(folder), name, means).run()
    states = [staging(folder).progress(name).state for name in names]
    assert states == [ReplayState.PROMOTED] * 2
