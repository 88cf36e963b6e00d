"""Scenes for the fault tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, make_kafka

MakeScene = Callable[..., Scene]


@pytest.fixture
def scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> Scene:
    """A scene on the shared broker, with a lake in a folder."""
    return Scene(kafka, tmp_path / "lake", start_worker)


@pytest.fixture(scope="session")
def other_kafka(
    kafka_parts: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    """Another cluster, which compacts soon, and which a test may stop if it starts it again."""
    compacts_soon = {"log.cleaner.backoff.ms": "200"}
    broker = make_kafka(kafka_parts, tmp_path_factory.mktemp("other-kafka"), compacts_soon)
    try:
        yield broker.start()
    finally:
        broker.close()
