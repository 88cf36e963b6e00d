"""A worker that runs while somebody is erased: it is fenced, reads again, and keeps them out."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lake.fences import ERASURE_FENCE
from lake.tombstones import Tombstone, newest_tombstone, put_tombstone
from lake.verify import verify_lake
from redact.crypto.keys import Keys
from redact.crypto.subjects import feedback_mark
from schemas.errors import FatalError
from tests.lake.kit import commit_context, make_lake, offsets, open_lake
from tests.redact.kit import KEYS
from tests.stream.loop_kit import Loop, Message, records

ERASED = "f-0-1"
"""The feedback at offset 1."""


@pytest.fixture
def lake_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Return a worker of a lake."""
    made = Loop(make_lake(tmp_path), monkeypatch)
    made.assign(0)
    return made


def erase(folder: Path, tables: Sequence[str], keys: Keys = KEYS) -> None:
    """Put a tombstone and fence tables, as an erasure does, through handles of its own."""
    lake = open_lake(folder)
    store = lake.location.files("erasures")
    marks = {keys.name: [feedback_mark(keys, ERASED)]}
    if not newest_tombstone(store):
        put_tombstone(store, lambda number: Tombstone(number, 0, feedback=marks))
    for name in tables:
        ERASURE_FENCE.raise_to(lake.table(name), newest_tombstone(store), commit_context())


def settle(loop: Loop) -> None:
    """Let the loop flush, read again what it has dropped, and flush."""
    for _ in range(6):
        start = loop.client.at.get(next(iter(loop.client.at)), 0)
        loop.turn(records(*range(start, 6)), seconds=6.0)


@pytest.mark.parametrize(
    "fenced", [["feedback"], ["quarantine"], ["feedback", "quarantine"], ["quarantine", "feedback"]]
)
def test_what_was_buffered_before_the_fence_is_read_again(
    lake_loop: Loop, tmp_path: Path, fenced: list[str]
) -> None:
    """Whichever table is fenced, the buffer is void; the person is dropped, nobody else is."""
    lake_loop.turn(records(0, 1, 2))
    erase(tmp_path, fenced)
    settle(lake_loop)

    assert offsets(lake_loop.lake.table("feedback")) == [0, 2, 3, 4, 5]
    report = verify_lake(open_lake(tmp_path), deep=True)
    assert report.ok, report.problems
    (proof,) = report.partitions
    assert (proof.consumed, proof.stored, proof.dropped) == (6, 5, 1)


def test_tombstone_without_a_fence_changes_nothing_yet(lake_loop: Loop, tmp_path: Path) -> None:
    """An erasure that died before it fenced is applied once it goes on."""
    lake_loop.turn(records(0, 1, 2))
    erase(tmp_path, [])
    lake_loop.turn(seconds=6.0)
    lake_loop.turn()
    assert offsets(lake_loop.lake.table("feedback")) == [0, 1, 2]

    erase(tmp_path, ["feedback"])
    lake_loop.turn(records(3), seconds=6.0)
    settle(lake_loop)
    assert lake_loop.erasures.newest == 1
    assert offsets(lake_loop.lake.table("feedback")) == [0, 1, 2, 3, 4, 5]


def test_erasure_is_applied_once(lake_loop: Loop, tmp_path: Path) -> None:
    """However many tables are fenced, everything is read again once."""
    lake_loop.turn(records(0, 1, 2))
    erase(tmp_path, ["feedback", "quarantine", "redactions"])
    settle(lake_loop)

    assert lake_loop.observer.names.count("erasures") == 1


def test_fence_in_a_rebalance(lake_loop: Loop, tmp_path: Path) -> None:
    """What cannot be flushed on the way out, because of a fence, is left to the next owner."""
    lake_loop.turn(records(0, 1, 2))
    erase(tmp_path, ["feedback"])
    lake_loop.revoke(0)
    assert offsets(lake_loop.lake.table("feedback")) == []

    lake_loop.turn()
    lake_loop.assign(0)
    settle(lake_loop)
    assert offsets(lake_loop.lake.table("feedback")) == [0, 2, 3, 4, 5]


def test_unknown_key_stops_the_worker(lake_loop: Loop, tmp_path: Path) -> None:
    """A worker that cannot tell who was erased stops, and says which setting is missing."""
    lake_loop.turn(records(0, 1, 2))
    erase(tmp_path, ["feedback"], Keys.derive(b"x" * 32, "k9"))

    with pytest.raises(FatalError, match=r"k9\..*GOLDPAN_REDACT__FORMER_KEYS"):
        settle(lake_loop)
    assert offsets(lake_loop.lake.table("feedback")) == []


def test_caught_up_means_that_all_is_in_the_lake(lake_loop: Loop, tmp_path: Path) -> None:
    """A fence that meets the very last flush does not end a worker that is to catch up."""
    source = next(iter(lake_loop.client.at))
    erased: list[bool] = []

    def consume(_number: int, _timeout: float) -> list[Message]:
        if not erased:
            erase(tmp_path, ["feedback"])
            erased.append(True)
        start, lake_loop.client.at[source] = lake_loop.client.at[source], 3
        return records(*range(start, 3))

    for what, name, does in (
        (lake_loop.client, "consume", consume),
        (lake_loop.client, "subscribe", lambda *_topics, **_told: None),
        (lake_loop.client, "close", lambda: None),
        (lake_loop.flusher, "start", lambda: None),
        (lake_loop.flusher, "stop", lambda _seconds: None),
    ):
        lake_loop.patch.setattr(what, name, does, raising=False)
    assert lake_loop.worker.run(lake_loop.goal({source: 3}))

    assert "caught_up" in lake_loop.log.names
    assert offsets(lake_loop.lake.table("feedback")) == [0, 2]
