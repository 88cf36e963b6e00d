"""A broker that goes away and comes back: the worker waits, and goes on by itself."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.faults.scene import Scene, protocol_settings
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka

AWAYS = (
    pytest.param((Kafka.kill,), id="short"),
    pytest.param((Kafka.stop, Kafka.kill, Kafka.stop), id="long", marks=pytest.mark.chaos),
)


@pytest.fixture
def scenes(other_kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> list[Scene]:
    """One scene for each group protocol, on a broker that may be stopped."""
    return [
        Scene(other_kafka, tmp_path / protocol, start_worker, more=protocol_settings(protocol))
        for protocol in ("classic", "consumer")
    ]


@pytest.mark.parametrize("aways", AWAYS)
def test_broker_away_in_mid_run(
    other_kafka: Kafka, scenes: list[Scene], aways: Sequence[Callable[[Kafka], None]]
) -> None:
    """Stopped in order, or killed, under way; the worker is never started again."""
    for scene in scenes:
        scene.produce(100)
    workers = [scene.start() for scene in scenes]
    for worker in workers:
        worker.wait_for_log("flush_committed")
    for away in aways:
        said = [len(worker.logs("kafka_error")) for worker in workers]
        for scene in scenes:
            scene.produce(100)
        away(other_kafka)
        for worker, before in zip(workers, said, strict=True):
            worker.wait_for_log("kafka_error", count=before + 1)
        other_kafka.restart()
        for scene in scenes:
            scene.produce(50)
        for worker, scene in zip(workers, scenes, strict=True):
            worker.wait_until(scene.all_in, what="done with what was there before and after")
    for worker in workers:
        worker.sigterm()
    for worker, scene in zip(workers, scenes, strict=True):
        worker.finish()
        scene.assert_exactly_once()
