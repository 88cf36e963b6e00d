"""Scenes for the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, make_kafka

HASTY = {
    "log.cleaner.backoff.ms": "200",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
}
"""A broker that compacts soon, and takes a silent worker of either protocol for dead soon."""


@pytest.fixture
def scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> Scene:
    """A scene on the shared broker, with a lake in a folder."""
    return Scene(kafka, tmp_path / "lake", start_worker)


@pytest.fixture(scope="session")
def other_kafka(
    kafka_parts: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    """Another cluster, hastier, and one that a test may stop if it starts it again."""
    broker = make_kafka(kafka_parts, tmp_path_factory.mktemp("other-kafka"), HASTY)
    try:
        yield broker.start()
    finally:
        broker.close()
