"""A worker that was stopped past its session, and wakes up in mid-flush, cannot write any more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from stream.failpoints import FlushStep
from tests.faults.scene import QUIET, Scene
from tests.faults.traffic import SHORT_LIMIT
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import Worker

LAX = 1_000_000
CLASSIC = {"kafka__group_protocol": "classic", "kafka__properties": QUIET}
"""With this the broker takes a worker for dead after six seconds."""
GIVEN_UP = {"flush_fenced", "flush_abandoned", "partitions_abandoned"}
"""What a worker says when it learns that it is not the owner any more."""


class Stop(NamedTuple):
    """Where a worker stops, and the ``max_record_bytes`` of it and of the one that takes over."""

    step: FlushStep
    first: int = LAX
    second: int = LAX


ALIKE = [
    Stop(FlushStep.SEALED),
    Stop(FlushStep.PRIMARY_WRITTEN),
    Stop(FlushStep.QUARANTINE_COMMITTED),
]
AT_ODDS = [
    Stop(step, *limits)
    for step in (FlushStep.PRIMARY_WRITTEN, FlushStep.QUARANTINE_COMMITTED)
    for limits in ((LAX, SHORT_LIMIT), (SHORT_LIMIT, LAX))
]
AT_ODDS_EACH_WAY = [AT_ODDS[0], AT_ODDS[-1]]
"""At either step, and either of the two is the stricter."""


@dataclass
class Zombie:
    """A worker that stops itself at a step, and the one that takes its partitions over."""

    stop: Stop
    scene: Scene
    worker: Worker = field(init=False)
    other: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.scene.produce(60)
        fail_at = f"{self.stop.step}=stop"
        limit = self.stop.first
        self.worker = self.scene.start(stream__fail_at=fail_at, stream__max_record_bytes=limit)

    def take_over(self) -> None:
        """Wait until it has stopped, and start the other."""
        stopped = psutil.Process(self.worker.pid)
        self.worker.wait_until(lambda: stopped.status() == psutil.STATUS_STOPPED, what="stopped")
        self.other = self.scene.start(stream__max_record_bytes=self.stop.second)
        self.scene.produce(20)

    def versions(self) -> dict[str, int]:
        """Return the versions of the tables: each write of anybody makes a new one."""
        tables = {name: self.scene.witness.table(name) for name in ("traces", "quarantine")}
        return {name: table.version() for name, table in tables.items() if table}

    def wake(self) -> None:
        """Let it go on, and see that the first thing it learns is that it has lost."""
        self.other.wait_until(self.scene.all_in, what="done with what the zombie had begun")
        before = self.versions()
        assert not self._said({"flush_committed"}), self.worker.tail()
        self.worker.sigcont()
        self.worker.wait_until(lambda: self._said(GIVEN_UP), what="giving up")
        assert not self._said({"flush_committed"}), self.worker.tail()
        assert self.versions() == before

    def go_on(self) -> None:
        """Both work on, and end in order."""
        self.scene.produce(40)
        self.other.wait_until(self.scene.all_in, what="done with what came then")
        self.scene.produce(20)
        self.worker.sigterm()
        self.other.sigterm()

    def end(self) -> None:
        """All is in the lake once."""
        self.worker.finish()
        self.other.finish()
        self.scene.catch_up()
        self.scene.assert_exactly_once()

    def _said(self, events: set[str]) -> bool:
        return any(entry["event"] in events for entry in self.worker.logs())


MakeZombie = Callable[[Stop, Mapping[str, object]], Zombie]


@pytest.fixture
def make_zombie(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> MakeZombie:
    """Starts zombies, each with topics and a lake of its own."""

    def make(stop: Stop, more: Mapping[str, object]) -> Zombie:
        lake = tmp_path / f"lake-{stop.step}-{stop.first}-{stop.second}"
        return Zombie(stop, Scene(kafka, lake, start_worker, more=more))

    return make


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param(ALIKE, id="alike", marks=pytest.mark.chaos),
        pytest.param(AT_ODDS_EACH_WAY, id="at odds"),
        pytest.param(AT_ODDS, id="at odds, all", marks=pytest.mark.chaos),
    ],
)
def test_stopped_at_a_step(make_zombie: MakeZombie, stops: list[Stop]) -> None:
    """What it had under way is refused, also where it and the new owner judge a record otherwise.

    All of them wait for the end of their sessions side by side.
    """
    zombies = [make_zombie(stop, CLASSIC) for stop in stops]
    for phase in (Zombie.take_over, Zombie.wake, Zombie.go_on, Zombie.end):
        for zombie in zombies:
            phase(zombie)
