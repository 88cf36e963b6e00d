"""Workers that join and leave all the time, in order and not, over growing traffic."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.scene import Scene, protocol_settings
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import Worker

MOST = 3
"""Workers at a time: more than one processor has use for, and one more than partitions allow."""


@dataclass
class Storm:
    """The workers there are, and what has become of those that left."""

    scene: Scene
    random: random.Random
    here: list[Worker] = field(default_factory=list)
    leaving: list[Worker] = field(default_factory=list)
    killed: list[Worker] = field(default_factory=list)
    flushes: int = 0

    def change(self) -> None:
        """Let one worker join or leave, and produce a little."""
        self.flushes = self._flushes()
        if len(self.here) < 2 or (len(self.here) < MOST and self.random.random() < 0.5):
            self.here.append(self.scene.start())
        else:
            self._leave(self.here.pop(self.random.randrange(len(self.here))))
        self.scene.produce(20)

    def settle(self) -> None:
        """Wait until anybody has brought something in since the change."""
        self.here[0].wait_until(lambda: self._flushes() > self.flushes, what="past the change")

    def end(self) -> None:
        """All that are left go, in order."""
        for worker in self.here:
            self._ask_to_go(worker)
        for worker in self.leaving + self.here:
            worker.finish()

    def _leave(self, worker: Worker) -> None:
        if len(self.killed) > len(self.leaving):
            self._ask_to_go(worker)
            self.leaving.append(worker)
        else:
            worker.sigkill()
            self.killed.append(worker)

    def _ask_to_go(self, worker: Worker) -> None:
        """Before it has started, nothing could drain: a signal would just end the process."""
        worker.wait_for_log("worker_started")
        worker.sigterm()

    def _flushes(self) -> int:
        everyone = self.here + self.leaving + self.killed
        return sum(len(worker.logs("flush_committed")) for worker in everyone)


@pytest.fixture
def storms(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> list[Storm]:
    """One for each group protocol, on a broker that notices a dead worker soon."""
    scenes = [
        Scene(kafka, tmp_path / protocol, start_worker, more=protocol_settings(protocol))
        for protocol in ("classic", "consumer")
    ]
    return [Storm(scene, random.Random(1)) for scene in scenes]  # noqa: S311  (repeatable)


def test_a_few_join_and_leave(storms: list[Storm]) -> None:
    """Six changes of the group, half of the leavers killed, and each record is there once."""
    blow(storms, changes=6)


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_twenty_join_and_leave(storms: list[Storm]) -> None:
    """The same with twenty changes."""
    blow(storms, changes=20)


def blow(storms: list[Storm], *, changes: int) -> None:
    """Change the groups so many times, and hold what is in the lakes against what was produced."""
    for _ in range(changes):
        for storm in storms:
            storm.change()
        for storm in storms:
            storm.settle()
    for storm in storms:
        storm.end()
        assert storm.killed
        assert storm.leaving
        storm.scene.catch_up()
        storm.scene.assert_exactly_once()
