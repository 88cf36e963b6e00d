"""What quarantine takes in below its own position: rows that a dead worker had let pass."""

from typing import Any

import pytest

from tests.stream.protocol.play import Play
from tests.stream.protocol.simulated import SimulatedLake
from tests.stream.protocol.world import World

FIRST, SECOND, THIRD = 0, 1, 2


@pytest.fixture
def play() -> Play:
    """Four records, of which one worker has set none aside and died between its two commits."""
    store: dict[str, Any] = {}
    play = Play(World(lambda: SimulatedLake(store)))
    for worker in play.workers:
        worker.verdict.bad = lambda _partition, _offset: False
    play.produce(0, 4, 0)
    play.take(FIRST, [0], None)
    play.read(FIRST, 4)
    play.flush(FIRST, "quarantine_committed")
    return play


def read_again(play: Play, who: int, bad: set[int]) -> None:
    """Let a worker take over from the dead one, with a verdict of its own."""
    play.workers[who].verdict.bad = lambda _partition, offset: offset in bad
    play.take(who, [0], None)
    play.read(who, 100)


def test_a_stricter_worker_adds_to_quarantine(play: Play) -> None:
    """What fails now is set aside, although quarantine's position has passed it."""
    read_again(play, SECOND, {1})
    play.flush(SECOND, None)
    assert play.world.problems(everything=True) == []


def test_a_claim_keeps_the_stopped_worker_out(play: Play) -> None:
    """The first worker wakes up when another has claimed the partition: it cannot commit."""
    read_again(play, SECOND, {1})
    play.flush(SECOND, "claimed")
    play.go_on(FIRST, None)
    assert play.workers[FIRST].in_flight is None
    assert play.world.position(0) == 0
    play.go_on(SECOND, None)
    play.end(0, zombies=True)


@pytest.mark.parametrize("more", [0, 3])
def test_a_stopped_claimant_cannot_add_what_a_third_lets_pass(play: Play, more: int) -> None:
    """Also when its flush goes on beyond quarantine's position, by ``more`` records."""
    play.produce(0, more, 0)
    read_again(play, SECOND, {1})
    play.flush(SECOND, "claimed")
    play.workers[THIRD].verdict.bad = lambda _partition, _offset: False
    play.take(THIRD, [0], None)
    play.read(THIRD, 4)
    play.flush(THIRD, None)
    play.go_on(SECOND, None)
    assert play.world.problems() == []


def test_a_mark_that_was_there_before_tells_nobody_apart(play: Play) -> None:
    """Two workers that both saw the mark of the same dead one cannot both add rows."""
    read_again(play, SECOND, {1})
    play.flush(SECOND, "quarantine_committed")
    read_again(play, THIRD, {2})
    play.flush(THIRD, "claimed")
    play.crash(SECOND, 0)
    read_again(play, SECOND, {3})
    play.flush(SECOND, None)
    play.go_on(THIRD, None)
    assert play.world.problems() == []
