"""Scenes for the fault tests."""

from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.servers.fixtures import MakeKafka, StartWorker
from tests.servers.kafka import Kafka

HASTY = {
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
}
"""A broker that takes a silent worker of either protocol for dead soon."""


@pytest.fixture
def scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> Scene:
    """A scene on the shared broker, with a lake in a folder."""
    return Scene(kafka, tmp_path / "lake", start_worker)


@pytest.fixture
def other_kafka(own_kafka_with: MakeKafka) -> Kafka:
    """Another cluster, hastier, and one that a test may stop."""
    return own_kafka_with(HASTY)
