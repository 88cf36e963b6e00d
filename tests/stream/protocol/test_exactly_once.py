"""However workers stop, die, wake up and disagree, each record is in exactly one table."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.lake.kit import make_lake, open_lake
from tests.short_versions import short
from tests.stream.protocol.play import PARTITIONS, PLACES, TABLES, WORKERS, Play, at_random
from tests.stream.protocol.simulated import SimulatedLake
from tests.stream.protocol.world import World

WHO = st.integers(0, WORKERS - 1)
POLICY = st.integers(0, 50)
UNTIL = st.sampled_from([*PLACES, None])


def simulated() -> World:
    """Return a world whose tables are in memory."""
    store: dict[str, Any] = {}
    return World(lambda: SimulatedLake(store))


@pytest.fixture
def delta(tmp_path: Path) -> Iterator[World]:
    """A world whose tables are real."""
    make_lake(tmp_path)
    world = World(lambda: open_lake(tmp_path))
    yield world
    world.end()
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("seed", range(2))
def test_many_workers_on_simulated_tables(seed: int) -> None:
    """Sixty moves of three workers, each stopped anywhere, lose nothing and double nothing."""
    world = simulated()
    try:
        at_random(Play(world), Random(seed), 60)  # noqa: S311 - repeatable, not secret
    finally:
        world.end()


@pytest.mark.chaos
@pytest.mark.parametrize("first", range(0, 3100, 25))
def test_many_more_workers_on_simulated_tables(first: int) -> None:
    """The same, twenty-five times a test."""
    for seed in range(first, first + 25):
        test_many_workers_on_simulated_tables(seed)


@pytest.mark.parametrize("seed", short(range(3), [0]))
def test_many_workers_on_real_tables(delta: World, seed: int) -> None:
    """The same on Delta tables in a folder."""
    at_random(Play(delta), Random(seed), 50)  # noqa: S311


class Moves(RuleBasedStateMachine):
    """The same moves, searched by hypothesis, which makes a counterexample short."""

    def __init__(self) -> None:
        super().__init__()
        self.world = simulated()
        self.play = Play(self.world)
        self.play.produce(0, 4, 0)

    @rule(
        partition=st.integers(0, PARTITIONS - 1), records=st.integers(1, 4), hole=st.integers(0, 1)
    )
    def produce(self, partition: int, records: int, hole: int) -> None:
        """Let Kafka have more."""
        self.play.produce(partition, records, hole)

    @rule(offset=st.integers(0, 12), all_before=st.booleans())
    def delete(self, offset: int, all_before: bool) -> None:
        """Let Kafka delete one record, or all that are older."""
        (self.play.expire if all_before else self.play.compact)(0, offset)

    @rule(who=WHO, partitions=st.sampled_from([[0], [0, 1]]), until=UNTIL)
    def take(self, who: int, partitions: list[int], until: str | None) -> None:
        """Let a worker take partitions over."""
        self.play.take(who, partitions, until)

    @rule(who=WHO, records=st.integers(1, 4), until=UNTIL)
    def work(self, who: int, records: int, until: str | None) -> None:
        """Let a worker read and flush."""
        if not self.play.workers[who].assignment.owned:
            self.play.take(who, [0], None)
        self.play.read(who, records)
        self.play.flush(who, until)

    @rule(who=WHO, until=UNTIL)
    def go_on(self, who: int, until: str | None) -> None:
        """Wake a worker up."""
        self.play.go_on(who, until)

    @rule(who=WHO, policy=POLICY, one_in=st.sampled_from([2, 1000]))
    def decide_otherwise(self, who: int, policy: int, one_in: int) -> None:
        """Change what a worker thinks of records."""
        self.play.decide_otherwise(who, policy, one_in)

    @rule(offset=st.integers(0, 12), order=st.permutations(TABLES))
    def erase(self, offset: int, order: list[str]) -> None:
        """Put a tombstone."""
        self.play.erase(offset, order)

    @precondition(lambda self: self.world.unfenced)
    @rule()
    def fence(self) -> None:
        """Fence a table."""
        self.play.fence()

    @rule(who=WHO, policy=POLICY)
    def crash(self, who: int, policy: int) -> None:
        """Kill a worker."""
        self.play.crash(who, policy)

    @precondition(lambda self: not self.world.fates)
    @rule(how=st.sampled_from(["request lost", "reply lost"]))
    def fail(self, how: str) -> None:
        """Break the next commit."""
        self.play.fail(how)

    def teardown(self) -> None:
        """Bring the run to its end, unless it has failed already."""
        self.world.end()


SETTINGS = settings(
    stateful_step_count=30, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("runs", short([15, 40], [15]))
def test_moves_that_are_searched(runs: int) -> None:
    """No sequence of moves loses a record or doubles one."""
    run_state_machine_as_test(Moves, settings=settings(SETTINGS, max_examples=runs))
