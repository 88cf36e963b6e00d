"""When everything of the start is in the tables, and what is said while it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from lake.ledger import SourcePartition
from schemas.errors import FatalError, RetryableError
from stream.catch_up import LOG_INTERVAL_SECONDS, CatchUp, CatchUpLimit
from tests.stream.kit import Recorder

MINE, THEIRS = SourcePartition("t", 0), SourcePartition("t", 1)
WAITING = "waiting_for_partitions"


@dataclass
class World:
    """Tables, a topic and a clock that do as they are told."""

    limit: CatchUpLimit | None = None
    at: dict[SourcePartition, int | None] = field(default_factory=lambda: {MINE: 10, THEIRS: None})
    ends_now: dict[SourcePartition, int] = field(default_factory=lambda: {MINE: 10, THEIRS: 20})
    away: bool = False
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.log = Recorder()
        self.goal = CatchUp(
            ends={MINE: 10, THEIRS: 20},
            positions=self._positions,
            high=lambda source: self.ends_now[source],
            log=self.log,
            monotonic=lambda: self.now,
            retry_seconds=60.0,
            retried=lambda what, _error, _wait: self.log.info("retried", what=what),
            recovered=lambda what: self.log.info("recovered", what=what),
            limit=self.limit,
        )

    def _positions(
        self, sources: Sequence[SourcePartition]
    ) -> Mapping[SourcePartition, int | None]:
        if self.away:
            raise RetryableError("the lake does not answer")
        return {source: self.at[source] for source in sources}

    def ask(self, seconds: float, *at_end: SourcePartition) -> bool:
        """Let time pass, second by second, and return the last answer."""
        answer = False
        for _ in range(int(seconds)):
            self.now += 1
            answer = self.goal.reached(at_end)
        return answer


def test_the_share_of_others_counts() -> None:
    """It is not reached before the tables hold what somebody else has to bring."""
    world = World()
    assert not world.ask(5)
    world.at[THEIRS] = 19
    assert not world.ask(5)
    world.at[THEIRS] = 20
    assert world.ask(1)
    world.goal.conclude()
    assert world.log.events[-1] == ("caught_up", {"partitions": 2})


def test_waiting_is_told_with_the_partitions_and_not_all_the_time() -> None:
    """The log names what it waits for, after a moment and then every half minute."""
    world = World()
    world.ask(2)
    assert world.log.names == []
    world.ask(3 * LOG_INTERVAL_SECONDS)
    assert world.log.names == [WAITING] * 3
    assert world.log.events[0][1]["positions"] == {"t/1": "- of 20"}


def test_time_limit_names_what_is_behind() -> None:
    """A script that asks for a limit learns which partitions are missing, and how much of them."""
    world = World(limit=CatchUpLimit(30, 1030.0))
    world.at[THEIRS] = 7
    assert not world.ask(29)
    assert not world.goal.overdue()
    world.ask(1)
    assert world.goal.overdue()
    with pytest.raises(FatalError, match=r"within 30 s: 1 of 2 .* behind, t/1 \(at 7 of 20\)"):
        world.goal.conclude()


def test_what_arrives_at_the_last_moment_counts() -> None:
    """The tables are asked once more when the time is over."""
    world = World(limit=CatchUpLimit(30, 1030.0))
    world.ask(30)
    world.at[THEIRS] = 20
    world.goal.conclude()
    assert world.log.names[-1] == "caught_up"


def test_tables_that_do_not_answer_are_no_end_reached() -> None:
    """A lake that is away is borne with for the time of the settings, and then is a failure."""
    world = World(at={MINE: 10, THEIRS: 20}, away=True)
    assert not world.ask(30)
    world.away = False
    assert world.ask(1)
    assert world.log.names[-1] == "recovered"
    world.away = True
    with pytest.raises(FatalError, match="reading positions: still failing after 60 s"):
        world.ask(62)


def test_records_that_were_lost_meanwhile_stop_the_worker() -> None:
    """Nothing is left to read, and the position cannot reach the end: the topic was cut."""
    world = World(at={MINE: 8, THEIRS: 20})
    assert not world.ask(1, MINE)
    world.ends_now[MINE] = 8
    assert not world.ask(1)
    with pytest.raises(FatalError, match=r"t/0: the topic ended at 10 .* ends at 8 now"):
        world.ask(1, MINE)
