"""A broker that goes away and comes back: the worker waits, and goes on by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.scene import Scene, protocol_settings
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka

AWAYS: dict[str, Callable[[Kafka], None]] = {"stopped": Kafka.stop, "killed": Kafka.kill}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_broker_away_in_mid_run(
    other_kafka: Kafka, tmp_path: Path, start_worker: StartWorker, protocol: str
) -> None:
    """Stopped in order, and then killed, under way; the worker is never started again."""
    more = protocol_settings(protocol)
    scene = Scene(other_kafka, tmp_path / "lake", start_worker, more=more)
    scene.produce(100)
    worker = scene.start()
    worker.wait_for_log("flush_committed")
    for away in AWAYS.values():
        scene.produce(100)
        away(other_kafka)
        worker.wait_for_log("kafka_error")
        other_kafka.restart()
        scene.produce(50)
        worker.wait_until(scene.all_in, what="done with what was there before and after")
    worker.sigterm()
    worker.finish()
    scene.assert_exactly_once()
