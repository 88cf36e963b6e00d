"""An embedded Kafka broker: librdkafka's mock cluster, in this process, over loopback.

It creates topics on demand, with four partitions of at most 5 MiB each, and ends with its client.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import Producer

from schemas.errors import FatalError

LARGEST_MESSAGE: Final = 4 * 2**20
ANSWER_SECONDS: Final = 10.0

OnDelivered = Callable[[int, int], None]
"""Takes partition and offset of a record that the broker has accepted."""


class EmbeddedBroker:
    """A running broker and a client that sends to it. ``address`` is its bootstrap address."""

    def __init__(self) -> None:
        # The address is a placeholder: the client talks to its own mock cluster.
        self._client = Producer(
            {
                "bootstrap.servers": "embedded:9092",
                "test.mock.num.brokers": 1,
                "message.max.bytes": LARGEST_MESSAGE,
                "linger.ms": 20,
                "compression.type": "zstd",
                "log_level": 0,
            }
        )
        brokers = list(self._client.list_topics(timeout=ANSWER_SECONDS).brokers.values())
        self.address = f"{brokers[0].host}:{brokers[0].port}"

    def make_topic(self, topic: str) -> None:
        """Create a topic by requesting its metadata."""
        self._client.list_topics(topic, timeout=ANSWER_SECONDS)

    def send(
        self,
        topic: str,
        key: str | None,
        value: bytes | None,
        on_delivered: OnDelivered,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send one record; ``on_delivered`` is called from a later `send` or `flush`."""

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                raise FatalError(f"the embedded broker refused a record ({error.name()})")
            on_delivered(message.partition(), message.offset())

        self._client.produce(
            topic, value=value, key=key, headers=list(headers), on_delivery=delivered
        )
        self._client.poll(0)

    def flush(self) -> None:
        """Wait until all records are accepted."""
        if self._client.flush(ANSWER_SECONDS):
            raise FatalError("the embedded broker did not accept all records in time")
