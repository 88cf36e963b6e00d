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

    def change(self) -> None:
        """Let one worker join or leave, and wait until anybody has brought something in since."""
        before = self._flushes()
        if len(self.here) < 2 or (len(self.here) < MOST and self.random.random() < 0.5):
            self.here.append(self.scene.start())
        else:
            self._leave(self.here.pop(self.random.randrange(len(self.here))))
        self.scene.produce(20)
        self.here[0].wait_until(lambda: self._flushes() > before, what="past the change")

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
def quick(other_kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> Scene:
    """A scene on the broker that notices a dead worker soon, whatever the protocol."""
    return Scene(other_kafka, tmp_path / "lake", start_worker)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_few_join_and_leave(quick: Scene, protocol: str) -> None:
    """Six changes of the group, half of the leavers killed, and each record is there once."""
    storm(quick, protocol, changes=6)


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_twenty_join_and_leave(quick: Scene, protocol: str) -> None:
    """The same with twenty changes."""
    storm(quick, protocol, changes=20)


def storm(scene: Scene, protocol: str, *, changes: int) -> None:
    """Change the group so many times, and hold what is in the lake against what was produced."""
    scene.more = protocol_settings(protocol)
    weather = Storm(scene, random.Random(changes))  # noqa: S311  (repeatable, not secret)
    for _ in range(changes):
        weather.change()
    weather.end()
    scene.catch_up()
    scene.assert_exactly_once()
