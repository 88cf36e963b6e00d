"""A record that is on its way between quarantine and its table does not expire on the way."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from batch.retention.run import RetentionRun
from lake.quarantine import QuarantineFilter
from lake.table_commit import CommitContext
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import FatalError, FencedError
from schemas.record_batches import RawRecord
from stream.replay.steps import ReplayStep
from tests.lake.kit import TOPIC, append, offsets, open_lake, patience, set_aside
from tests.stream.redrives import (
    CrashError,
    kafka,
    quarantined_offsets,
    redrive,
)
from tests.stream.replays import NOW, TOKENS, filled_lake, promotion, stage

AFTER = date(2026, 11, 2)
Coordinates = tuple[int, int]


def expiry(folder: Path, table: str) -> RetentionRun:
    """Return a run that lets all rows of a table expire."""
    means = CommitContext(patience(), lambda: NOW, lambda: next(TOKENS))
    return RetentionRun.of(open_lake(folder), table, {"rows": AFTER}, means)


def expire(folder: Path, table: str) -> RetentionRun:
    """Let all rows of a table expire; return the run."""
    run = expiry(folder, table)
    list(run.run())
    return run


def crash(_step: str) -> None:
    """Die."""
    raise CrashError


@pytest.mark.parametrize("table", ["quarantine", "feedback"])
def test_what_a_re_drive_died_over_waits(
    quarantined_lake: Lake, tmp_path: Path, table: str
) -> None:
    """Its day is told to wait; when the redrive has been finished, it goes, and is counted."""
    with pytest.raises(CrashError):
        redrive(quarantined_lake, reached=crash).run(QuarantineFilter(TOPIC))
    assert expire(tmp_path, table).waiting
    assert all("redrive` again" in problem for problem in verify_lake(open_lake(tmp_path)).problems)
    redrive(open_lake(tmp_path)).run(QuarantineFilter(TOPIC))
    assert not expire(tmp_path, table).waiting
    assert offsets(open_lake(tmp_path).table(table)) == []
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []


def test_a_re_drive_that_looked_before_is_fenced(quarantined_lake: Lake, tmp_path: Path) -> None:
    """What it was about to bring in has expired meanwhile; the next one finds nothing to bring."""

    def meanwhile(topic: str, wanted: Sequence[Coordinates]) -> Mapping[Coordinates, RawRecord]:
        expire(tmp_path, "quarantine")
        return kafka(topic, wanted)

    with pytest.raises(FencedError):
        redrive(quarantined_lake, fetch=meanwhile).run(QuarantineFilter(TOPIC))
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []
    assert quarantined_offsets(open_lake(tmp_path)) == ([], [])
    assert redrive(open_lake(tmp_path)).run(QuarantineFilter(TOPIC)).stored == 0


def test_a_re_drive_leaves_what_is_over(quarantined_lake: Lake, tmp_path: Path) -> None:
    """Between the mark in the log and the commit that takes the rows, it brings none of them in."""
    run = expiry(tmp_path, "quarantine")
    assert run.record_horizon(run.find_expiring())  # killed after this step
    done = redrive(quarantined_lake).run(QuarantineFilter(TOPIC))
    assert (done.stored, done.gone) == (0, 4)
    expire(tmp_path, "quarantine")
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []


@pytest.mark.parametrize("table", ["quarantine", "feedback"])
@pytest.mark.parametrize("step", [ReplayStep.BROUGHT_IN, ReplayStep.SWAPPED])
def test_nothing_expires_while_a_replay_is_promoted(
    tmp_path: Path, table: str, step: ReplayStep
) -> None:
    """The command says so; afterwards it goes on."""
    filled_lake(tmp_path)
    stage(tmp_path)

    def meanwhile(reached: ReplayStep) -> None:
        if reached is step:
            with pytest.raises(FatalError, match="is being promoted"):
                expire(tmp_path, table)

    promotion(tmp_path, meanwhile).run()
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []
    assert not expire(tmp_path, table).waiting
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []


@pytest.mark.parametrize("table", ["quarantine", "feedback"])
@pytest.mark.parametrize("step", [ReplayStep.DECIDED, ReplayStep.ASIDE_WRITTEN])
def test_rows_that_expire_before_a_promotion_begins_stay_away(
    tmp_path: Path, table: str, step: ReplayStep
) -> None:
    """Whatever it had looked at: the commit that begins it looks again."""
    filled_lake(tmp_path)
    stage(tmp_path)
    left = [1]

    def meanwhile(reached: ReplayStep) -> None:
        if reached is step and left[0]:
            left[0] = 0
            expire(tmp_path, table)

    promotion(tmp_path, meanwhile).run()
    assert not left[0]
    # A row of the table that the new policy sets aside comes to quarantine, as a late one does.
    comes = [6] if table == "quarantine" else []
    assert offsets(open_lake(tmp_path).table(table)) == comes
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []
    expire(tmp_path, table)
    assert offsets(open_lake(tmp_path).table(table)) == []
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []


def test_what_a_worker_has_just_set_aside_waits(quarantined_lake: Lake, tmp_path: Path) -> None:
    """It commits to quarantine first: until its table follows, nothing of that flush expires."""
    set_aside(quarantined_lake, 10, 12, {11}, token=12)
    assert expire(tmp_path, "quarantine").waiting
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []
    append(quarantined_lake.table("feedback"), 10, 12, quarantined={11}, token=12)
    assert not expire(tmp_path, "quarantine").waiting
    assert quarantined_offsets(open_lake(tmp_path)) == ([], [])
    assert verify_lake(open_lake(tmp_path), deep=True).problems == []
