"""Workers with names in the consumer group: a restart is no rebalance."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.scene import Scene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import Worker
from tests.short_versions import short


@dataclass
class Members:
    """Two workers with names, `worker-0` and `worker-1`, and what each was assigned at first."""

    scene: Scene
    workers: list[Worker] = field(default_factory=list)

    def start(self) -> None:
        """Start both, and wait until they share the partitions and have stored something."""
        self.workers = [self.join(number) for number in range(2)]
        self.workers[0].wait_until(lambda: all(len(self.owned(w)) == 1 for w in self.workers))
        self.scene.produce(20)
        self.workers[0].wait_until(self.scene.all_in)

    def join(self, number: int) -> Worker:
        """Start the worker of this number."""
        return self.scene.start(kafka__group_instance_id=f"worker-{number}")

    def owned(self, worker: Worker) -> set[str]:
        """Return the partitions of traces that a worker has by its log."""
        sources: set[str] = set()
        for entry in rebalances(worker):
            sources |= set(entry.get("positions", ()))
            sources -= set(entry.get("partitions", ()))
        return {source for source in sources if source.startswith(self.scene.traces_topic)}

    def restart(self, number: int, *, killed: bool = False) -> None:
        """End a worker and start it again: it has the same partitions, the other one no event."""
        gone, other = self.workers[number], self.workers[1 - number]
        before, unmoved = self.owned(gone), rebalances(other)
        if killed:
            gone.sigkill()
        else:
            gone.sigterm()
            gone.finish()
        self.scene.produce(20)
        self.workers[number] = again = self.join(number)
        again.wait_until(self.scene.all_in)
        assert self.owned(again) == before
        assert rebalances(other) == unmoved

    def end(self) -> None:
        """End both in order, and compare the lake with what was produced."""
        for worker in self.workers:
            worker.sigterm()
        for worker in self.workers:
            worker.finish()
        self.scene.assert_exactly_once()


def rebalances(worker: Worker) -> list[dict[str, Any]]:
    """Return the events by which partitions came to a worker or left it."""
    events = {"partitions_assigned", "partitions_revoked", "partitions_abandoned"}
    return [entry for entry in worker.logs() if entry["event"] in events]


@pytest.mark.parametrize("protocol", short(["classic", "consumer"], ["classic"]))
def test_a_rolling_restart_of_named_workers_is_no_rebalance(
    kafka: Kafka, tmp_path: Path, start_worker: StartWorker, protocol: str
) -> None:
    """Each ends and comes back to its own partitions; the other one notices nothing."""
    scene = Scene(kafka, tmp_path / "lake", start_worker)
    scene.more = {"kafka__group_protocol": protocol}
    members = Members(scene)
    members.start()
    for number in range(2):
        members.restart(number)
    members.end()


@pytest.mark.chaos
def test_a_killed_worker_comes_back_to_its_partitions(scene: Scene) -> None:
    """In the classic protocol at once: its return ends its former session."""
    scene.more = {"kafka__group_protocol": "classic"}
    members = Members(scene)
    members.start()
    members.restart(1, killed=True)
    members.end()


@pytest.mark.chaos
def test_the_partitions_of_a_worker_that_stays_away_go_to_others(scene: Scene) -> None:
    """After the session time-out, as without a name."""
    scene.more = {
        "kafka__group_protocol": "classic",
        "kafka__properties": {"session.timeout.ms": 3000, "heartbeat.interval.ms": 1000},
    }
    members = Members(scene)
    members.start()
    members.workers.pop().sigterm()
    scene.produce(20)
    members.workers[0].wait_until(scene.all_in)
    members.end()
