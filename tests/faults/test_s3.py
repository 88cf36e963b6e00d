"""A worker whose S3 server fails, lies about what it did, says nothing or dies, loses nothing."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.scene import Scene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3, Rule
from tests.servers.worker import Worker

DATA = r"/traces/.*\.parquet"
COMMIT = r"/traces/_delta_log/\d+\.json"
ASIDE = r"/quarantine/_delta_log/\d+\.json"
PATHS = {"data": DATA, "commit": COMMIT, "quarantine": ASIDE}
REFUSALS = (Fault.ERROR_500, Fault.ERROR_503, Fault.SLOW_DOWN, Fault.CLOSE)
LIES = (Fault.DROP_REPLY, Fault.ERROR_500_AFTER, Fault.STALL_REPLY)
OFTEN = 8
"""More often than any client tries by itself before it reports an error."""
PAUSE = 0.2
"""Seconds without an answer that are too short for any client's time-out."""


@dataclass
class Broken:
    """A lake on S3, and a proxy that breaks requests of the workers, not of those who look on."""

    scene: Scene
    proxy: FaultyS3
    s3: S3
    rules: list[Rule] = field(default_factory=list)

    def start(self, **more: Any) -> Worker:
        """Start a worker that reaches S3 through the proxy."""
        self.scene.outside = self.s3.env(self.proxy.endpoint)
        worker = self.scene.start(**more)
        self.scene.outside = self.s3.env()
        return worker

    def breaks(self, fault: Fault, path: str, times: int = 1, nth: int = 1) -> Rule:
        """Do a fault to the next PUTs of a path."""
        rule = self.proxy.inject(fault, "PUT", path, nth=nth, times=times, seconds=PAUSE)
        self.rules.append(rule)
        return rule

    def survive(self, worker: Worker) -> None:
        """Produce, and wait until every fault so far was done and all is in the lake."""
        self.scene.produce(20)
        waiting = list(self.rules)
        worker.wait_until(lambda: all(r.done for r in waiting), what=f"hit by {waiting}")
        worker.wait_until(self.scene.all_in, what=f"done with {waiting}")

    def own_commits_met(self) -> int:
        """How often a client tried to make a commit again that it had made."""
        return sum(one.status == 412 for one in self.proxy.exchanges("PUT", "/_delta_log/"))


@pytest.fixture
def breakable_s3(kafka: Kafka, s3: S3, faulty_s3: FaultyS3, start_worker: StartWorker) -> Broken:
    """Topics and a lake of the test's own."""
    scene = Scene(kafka, s3.new_lake(), start_worker, outside=s3.env())
    return Broken(scene, faulty_s3, s3)


def test_requests_are_refused(breakable_s3: Broken) -> None:
    """Errors and closed connections at any PUT, some of them in a row, are tried again."""
    worker = breakable_s3.start()
    for path in PATHS.values():
        for fault in REFUSALS:
            breakable_s3.breaks(fault, path, times=2)
    breakable_s3.survive(worker)
    assert worker.logs("step_retried"), worker.tail()
    breakable_s3.scene.assert_exactly_once()


def test_what_was_done_is_denied(breakable_s3: Broken) -> None:
    """A PUT that succeeded without a reply, or with an error for one, is not done a second time.

    A client that makes such a commit again meets its own: 412. The position tells whose it is.
    """
    worker = breakable_s3.start()
    for fault in LIES:
        for path in PATHS.values():
            breakable_s3.breaks(fault, path)
        breakable_s3.survive(worker)
    assert all(rule.done[0].status == 200 for rule in breakable_s3.rules), breakable_s3.rules
    assert breakable_s3.own_commits_met()
    assert worker.logs("commit_unknown"), worker.tail()
    assert worker.logs("commit_settled"), worker.tail()
    breakable_s3.scene.assert_exactly_once()


@pytest.mark.chaos
def test_the_log_cannot_be_read(breakable_s3: Broken) -> None:
    """Reading positions is a request too; where it fails the commit waits, or is tried again."""
    worker = breakable_s3.start()
    worker.wait_for_log("partitions_assigned")
    for method in ("GET", "HEAD"):
        for fault in (Fault.ERROR_500, Fault.CLOSE):
            rule = breakable_s3.proxy.inject(fault, method, r"_delta_log", times=20)
            breakable_s3.rules += [rule] if method == "GET" else []
    breakable_s3.survive(worker)
    assert worker.logs("step_retried"), worker.tail()
    breakable_s3.scene.assert_exactly_once()


@pytest.mark.chaos
@pytest.mark.parametrize("path", list(PATHS))
@pytest.mark.parametrize("fault", [*REFUSALS, *LIES])
def test_one_fault_for_long(breakable_s3: Broken, fault: Fault, path: str) -> None:
    """One kind of fault at one kind of PUT, until every client has given up by itself."""
    worker = breakable_s3.start()
    rule = breakable_s3.breaks(fault, PATHS[path], times=OFTEN)
    breakable_s3.survive(worker)
    worker.wait_until(lambda: len(rule.done) == OFTEN or rule.hits < OFTEN, what="through")
    breakable_s3.scene.assert_exactly_once()


def test_no_answer_at_all(breakable_s3: Broken) -> None:
    """While S3 says nothing, SIGTERM still ends the worker in order; the next one has it all.

    The process does not wait for the client's own time-out, which would be seen as a retry.
    """
    breakable_s3.scene.produce(50)
    hang = breakable_s3.proxy.inject(Fault.HANG, "PUT", DATA, times=None, seconds=600)
    worker = breakable_s3.start(stream__drain_seconds=1)
    hang.wait()
    worker.sigterm()
    worker.finish()
    assert worker.logs("flush_abandoned"), worker.tail()
    assert worker.logs()[-1]["event"] == "worker_stopped", worker.tail()
    assert breakable_s3.scene.witness.places("traces", breakable_s3.scene.traces_topic).total() == 0
    breakable_s3.proxy.clear()
    breakable_s3.scene.catch_up()
    breakable_s3.scene.assert_exactly_once()


@pytest.mark.chaos
def test_no_answer_until_time_is_up(breakable_s3: Broken) -> None:
    """A PUT without an answer is given up after the client's time-out, and done again."""
    breakable_s3.scene.produce(50)
    hangs = [
        breakable_s3.proxy.inject(fault, "PUT", path, seconds=600)
        for path in PATHS.values()
        for fault in (Fault.HANG, Fault.STALL_REPLY)
    ]
    worker = breakable_s3.start()
    worker.wait_until(breakable_s3.scene.all_in, 280, "done in spite of the silence")
    assert all(hang.done for hang in hangs), hangs
    breakable_s3.scene.assert_exactly_once()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(ASIDE, id="quarantine", marks=pytest.mark.chaos),
        pytest.param(COMMIT, id="commit"),
    ],
)
def test_killed_before_the_answer(breakable_s3: Broken, path: str) -> None:
    """A worker that is killed after its commit landed, and before it knew, has done it once."""
    breakable_s3.scene.produce(50)
    stall = breakable_s3.proxy.inject(
        Fault.STALL_REPLY, "PUT", path, nth=2, times=None, seconds=600
    )
    worker = breakable_s3.start()
    worker.wait_until(lambda: stall.seen >= 1, what="writing")
    breakable_s3.scene.produce(50)
    stall.wait()
    worker.sigkill()
    assert stall.done[0].status == 200
    breakable_s3.proxy.clear()
    breakable_s3.scene.produce(50)
    breakable_s3.scene.catch_up()
    breakable_s3.scene.assert_exactly_once()


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.chaos)])
def test_server_dies(kafka: Kafka, own_s3: S3, start_worker: StartWorker, times: int) -> None:
    """A server that is killed in mid-run and comes back: the worker has waited for it."""
    scene = Scene(kafka, own_s3.new_lake(), start_worker, outside=own_s3.env())
    worker = scene.start()
    for round_ in range(1, times + 1):
        scene.produce(50)
        worker.wait_for_log("flush_committed", count=2 * round_)
        own_s3.kill()
        retried = len(worker.logs("step_retried"))
        scene.produce(50)
        worker.wait_for_log("step_retried", count=retried + 1)
        own_s3.restart()
        worker.wait_until(scene.all_in, what="done after the server came back")
    worker.sigterm()
    worker.finish()
    scene.assert_exactly_once()


@pytest.mark.chaos
def test_two_workers(breakable_s3: Broken) -> None:
    """Two workers of one group that share the tables get through the same faults."""
    scene = breakable_s3.scene
    scene.kafka.add_partitions(scene.traces_topic, 4)
    workers = [breakable_s3.start(stream__flush_seconds=0.2) for _ in range(2)]
    for worker in workers:
        worker.wait_for_log("partitions_assigned")
    for number, fault in enumerate((*REFUSALS, *LIES)):
        for path in PATHS.values():
            breakable_s3.breaks(fault, path, times=2, nth=1 + number)
    for _ in range(10):
        scene.produce(20)
    for worker in workers:
        worker.wait_until(
            lambda: all(r.done for r in breakable_s3.rules), what="hit by every fault"
        )
        worker.wait_until(scene.all_in, what="done")
        assert worker.logs("flush_committed", topic=scene.traces_topic), worker.tail()
        worker.sigterm()
    for worker in workers:
        worker.finish()
    scene.assert_exactly_once()
