"""What has expired of a row does not come back with a replay, whenever it expires."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from batch.retention.run import RetentionRun
from lake.table_commit import CommitContext
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import UsageError
from stream.replay.diff import ReplayComparison
from stream.replay.lake_reader import refuse_expired
from stream.replay.replay_range import ReplaySpan
from stream.replay.steps import ReplayStep
from stream.replay.table_pair import TablePair
from tests.lake import kit
from tests.lake.kit import TOPIC, open_lake, patience
from tests.stream.replays import (
    NOW,
    RANGE,
    STEPS,
    TOKENS,
    fill_lake,
    ingested,
    promotion,
    stage,
    staging,
)

SAID = "what somebody said"
AFTER = date(2026, 11, 2)


@pytest.fixture
def replayed_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose feedback has texts, and a staged replay of a part of it."""
    plain = kit.filled_columns
    monkeypatch.setattr(
        kit,
        "filled_columns",
        lambda table, at: plain(table, at) | ({"comment": SAID} if table == "feedback" else {}),
    )
    fill_lake(tmp_path)
    stage(tmp_path)
    return open_lake(tmp_path)


def expire(folder: Path) -> list[Any]:
    """Let the texts of all feedback expire; return what was done."""
    means = CommitContext(patience(), lambda: NOW, lambda: next(TOKENS))
    return list(RetentionRun.of(open_lake(folder), "feedback", {"text": AFTER}, means).run())


def texts(folder: Path) -> set[str | None]:
    """Return every comment that feedback holds."""
    table = open_lake(folder).table("feedback")
    return set(table.read(["comment"])["comment"].to_pylist())


def test_rows_whose_texts_have_expired_stay_as_they_are(
    replayed_lake: Lake, tmp_path: Path
) -> None:
    """The diff counts them as kept, and promoting changes nothing of them."""
    assert expire(tmp_path)
    before = ingested(replayed_lake, "feedback")
    plan = staging(tmp_path).plan("r1")
    live, staged = open_lake(tmp_path), staging(tmp_path).lake("r1")
    found = ReplayComparison(
        plan,
        TablePair(live.table("feedback"), live.table("quarantine")),
        TablePair(staged.table("feedback"), staged.table("quarantine")),
        None,
        None,
        lambda *_told: None,
    ).run(samples=5)
    assert (found.changed, found.added, found.gone) == (0, 0, 0)
    assert found.kept >= len(RANGE) - 2
    promotion(tmp_path).run()
    assert texts(tmp_path) == {None}
    assert ingested(replayed_lake, "feedback") == before
    assert verify_lake(replayed_lake, deep=True).problems == []


@pytest.mark.parametrize("step", STEPS)
def test_texts_that_expire_while_a_replay_is_promoted(
    replayed_lake: Lake, tmp_path: Path, step: ReplayStep
) -> None:
    """At whichever step it happens, every record is there once, and no text comes back."""
    left = [1]

    def meanwhile(reached: ReplayStep) -> None:
        if reached is step and left[0]:
            left[0] = 0
            expire(tmp_path)

    promotion(tmp_path, meanwhile).run()
    everywhere = [*ingested(replayed_lake, "feedback"), *ingested(replayed_lake, "quarantine")]
    assert sorted(everywhere) == [*((0, o) for o in range(12)), *((1, o) for o in range(5))]
    expire(tmp_path)  # what came in the same moment goes with the next run
    assert texts(tmp_path) == {None}
    assert verify_lake(replayed_lake, deep=True).problems == []


def test_stored_rows_without_their_texts_are_not_read_again(
    replayed_lake: Lake, tmp_path: Path
) -> None:
    """A replay from the lake refuses them, and says which offsets they have."""
    table = replayed_lake.table("feedback")
    wanted = [ReplaySpan(0, 3, 9)]
    table.refresh()
    refuse_expired(table, TOPIC, None, wanted)
    expire(tmp_path)
    table.refresh()
    with pytest.raises(UsageError, match=r"4 rows of the range .* 2026-11-02, .* 3 to 8"):
        refuse_expired(table, TOPIC, None, wanted)
