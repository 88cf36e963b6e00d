"""librdkafka's mock cluster, in this process: for tests that need no proof by a real broker.

It makes topics by itself, with 4 partitions; keeps at most 5 MiB a partition; has no admin calls,
no offsets by time and no read_committed filtering. Other processes can connect to it.
"""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer

from tests.servers.topic_io import Coordinate, Record, produce

QUICK = {"session.timeout.ms": 6000}
"""The embedded broker gives a member's partitions away only after its session: wait less."""


class MockKafka:
    """A cluster of one broker that lives as long as this object, or until ``close``."""

    def __init__(self) -> None:
        # The address is a placeholder: the client connects to the cluster that it carries itself.
        self._carrier: Producer | None = Producer(
            {"bootstrap.servers": "mock:9092", "test.mock.num.brokers": 1, "log_level": 0}
        )
        broker = next(iter(self._carrier.list_topics(timeout=10).brokers.values()))
        self.bootstrap = f"{broker.host}:{broker.port}"

    def produce(self, topic: str, records: Iterable[Record | tuple[Any, ...]]) -> list[Coordinate]:
        """As ``topic_io.produce``."""
        return produce(self.bootstrap, topic, records)

    def close(self) -> None:
        """End the cluster."""
        self._carrier = None
