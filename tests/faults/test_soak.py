"""Everything at once, at random: kills, stops, S3 faults, a broker that goes, a changing group."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from stream.failpoints import FlushStep
from tests.faults.scene import Scene, protocol_settings
from tests.kill_harness import KILLED
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3
from tests.servers.worker import Worker

SHORT_SECONDS = 10.0
LONG_SECONDS = float(os.environ.get("TEST_CHAOS_SECONDS", "600"))
END_SECONDS = 120.0
FAILED = 3
"""The exit code of a worker that gave up."""
MOST = 3
"""Workers at a time."""
PATHS = (r"/traces/.*\.parquet", r"/traces/_delta_log/", r"/quarantine/", r"/feedback/")
FAULTS = (
    Fault.ERROR_500,
    Fault.SLOW_DOWN,
    Fault.CLOSE,
    Fault.DELAY,
    Fault.DROP_REPLY,
    Fault.STALL_REPLY,
    Fault.ERROR_500_AFTER,
)


@dataclass
class Soak:
    """Does one thing after another to a group of workers and to what they work with."""

    scene: Scene
    s3: S3
    proxy: FaultyS3
    random: random.Random
    here: list[Worker] = field(default_factory=list)
    frozen: list[Worker] = field(default_factory=list)
    gone: list[Worker] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Go on for so long, then let all that are left end in order."""
        things: dict[Callable[[], None], int] = {
            self.join: 4,
            self.join_and_fail: 3,
            self.leave: 2,
            self.kill: 2,
            self.freeze: 2,
            self.thaw: 2,
            self.break_s3: 6,
            self.break_kafka: 1,
        }
        until = time.monotonic() + seconds
        self.join()
        while time.monotonic() < until:
            (thing,) = self.random.choices(list(things), list(things.values()))
            self.done.append(thing.__name__)
            thing()
            self.scene.produce(20)
            time.sleep(self.random.uniform(0, 2))
            self.look()
        self.end()

    def end(self) -> None:
        """Mend everything, wake everybody, and see each of them end as it should."""
        self.proxy.clear()
        self.thaw()
        for worker in list(self.here):
            self._ask_to_go(worker)
        for worker in self.gone:
            code = _wait(worker)
            assert code in (0, KILLED), f"{worker.name}: {code}, {self}\n{worker.tail()}"

    def look(self) -> None:
        """Take out those that their fail point has killed, or that found no broker to start with.

        Nobody ends in another way.
        """
        for worker in [w for w in self.here + self.frozen if not w.alive]:
            (self.here if worker in self.here else self.frozen).remove(worker)
            if worker.exit_code == FAILED and "waiting for Kafka" in worker.tail():
                continue
            assert worker.exit_code == KILLED, f"{worker.exit_code}\n{worker.tail()}"
            self.gone.append(worker)

    def join(self) -> None:
        """One more."""
        if len(self.here) < MOST:
            self.here.append(self.scene.start())

    def join_and_fail(self) -> None:
        """One more, which will die, or stop, at some step of some flush."""
        if len(self.here) < MOST:
            step, action = self.random.choice(list(FlushStep)), self.random.choice(("kill", "stop"))
            fail_at = f"{step}:{self.random.randint(1, 5)}={action}"
            worker = self.scene.start(stream__fail_at=fail_at)
            (self.here if action == "kill" else self.frozen).append(worker)

    def leave(self) -> None:
        """One goes in order."""
        if len(self.here) > 1:
            self._ask_to_go(self.random.choice(self.here))

    def kill(self) -> None:
        """One dies."""
        if self.here:
            worker = self.here.pop(self.random.randrange(len(self.here)))
            worker.sigkill()
            self.gone.append(worker)

    def freeze(self) -> None:
        """One stops, perhaps for longer than its session."""
        if self.here and len(self.frozen) < MOST:
            worker = self.here.pop(self.random.randrange(len(self.here)))
            worker.sigstop()
            self.frozen.append(worker)

    def thaw(self) -> None:
        """All that are stopped go on."""
        self.here += self.frozen
        self.frozen = []
        for worker in self.here:
            worker.sigcont()

    def break_s3(self) -> None:
        """A fault or two to some of the next PUTs."""
        fault, path = self.random.choice(FAULTS), self.random.choice(PATHS)
        times, nth = self.random.randint(1, 3), self.random.randint(1, 3)
        seconds = self.random.uniform(0, 2)
        self.proxy.inject(fault, "PUT", path, times=times, nth=nth, seconds=seconds)

    def break_kafka(self) -> None:
        """The broker dies, or is stopped, and comes back."""
        self.random.choice((Kafka.stop, Kafka.kill))(self.scene.kafka)
        time.sleep(self.random.uniform(0, 3))
        self.scene.kafka.start()

    def _ask_to_go(self, worker: Worker) -> None:
        """Before it has started, nothing could drain: a signal would just end the process."""
        try:
            worker.wait_for_log("worker_started")
        except AssertionError:
            if worker.alive:
                raise
        self.here.remove(worker)
        if worker.alive:
            worker.sigterm()
        self.gone.append(worker)


def _wait(worker: Worker) -> int:
    """The exit code of a worker, which may stop itself even now and then has to be woken."""
    until = time.monotonic() + END_SECONDS
    while worker.alive and time.monotonic() < until:
        worker.sigcont()
        time.sleep(0.1)
    return worker.wait(0.1)


@pytest.fixture
def soak(
    request: pytest.FixtureRequest,
    other_kafka: Kafka,
    s3: S3,
    faulty_s3: FaultyS3,
    start_worker: StartWorker,
) -> Soak:
    """Three partitions of traces, workers that flush often, and a way to S3 that can break."""
    outside, more = s3.env(faulty_s3.endpoint), protocol_settings(request.param)
    scene = Scene(other_kafka, s3.new_lake(), start_worker, 3, outside=outside, more=more)
    return Soak(scene, s3, faulty_s3, random.Random(request.param))  # noqa: S311  (repeatable)


def assert_sound(soak: Soak) -> None:
    """Whatever was done, one more worker brings everything in, and it is there once.

    What is read now comes straight from S3: the proxy's own weaknesses are no part of it.
    """
    soak.scene.outside = soak.s3.env()
    soak.scene.catch_up()
    soak.scene.assert_exactly_once()
    assert soak.gone, soak.done


@pytest.mark.parametrize("soak", ["classic"], indirect=True)
def test_a_short_soak(soak: Soak) -> None:
    """Ten seconds of it."""
    soak.run(SHORT_SECONDS)
    assert_sound(soak)


@pytest.mark.chaos
@pytest.mark.timeout(LONG_SECONDS + 900)
@pytest.mark.parametrize("soak", ["classic", "consumer"], indirect=True)
def test_a_long_soak(soak: Soak) -> None:
    """Ten minutes, or as long as TEST_CHAOS_SECONDS says."""
    soak.run(LONG_SECONDS)
    assert_sound(soak)
