"""Reading single records from Kafka again, by their coordinates."""

from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.errors import RetryableError
from schemas.provenance import Raw
from stream.config import KafkaSettings
from stream.kafka_client import consumer_properties

FETCH_QUEUE_BYTES = 8 * 2**20
WAIT_SECONDS = 10.0


class Fetcher:
    """Gets records by coordinates, outside of any consumer group."""

    def __init__(self, settings: KafkaSettings, *, monotonic: Callable[[], float]) -> None:
        properties = consumer_properties(settings, fetch_queue=FETCH_QUEUE_BYTES)
        properties["group.id"] = f"{settings.group_id}-fetch"
        properties["enable.partition.eof"] = True
        self._consumer: Any = Consumer(properties)
        self._monotonic = monotonic

    def fetch(
        self, topic: str, coordinates: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], Raw]:
        """Return the records that Kafka still has, by (partition, offset).

        Raises RetryableError if Kafka does not answer.
        """
        by_partition: dict[int, set[int]] = {}
        for partition, offset in coordinates:
            by_partition.setdefault(partition, set()).add(offset)
        found: dict[tuple[int, int], Raw] = {}
        for partition, offsets in by_partition.items():
            low, _ = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=WAIT_SECONDS
            )
            wanted = {offset for offset in offsets if offset >= low}
            if wanted:
                found |= self._partition(topic, partition, wanted)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _partition(
        self, topic: str, partition: int, wanted: set[int]
    ) -> dict[tuple[int, int], Raw]:
        found: dict[tuple[int, int], Raw] = {}
        last = max(wanted)
        position = min(wanted)
        self._consumer.assign([TopicPartition(topic, partition, position)])
        heard = self._monotonic()
        while position <= last:
            messages = self._consumer.consume(500, 0.5)
            if messages:
                heard = self._monotonic()
            elif self._monotonic() - heard > WAIT_SECONDS:
                raise RetryableError(f"{topic}/{partition}: Kafka did not answer in time")
            for message in messages:
                if message.error() is None and message.offset() in wanted:
                    raw = _raw(message)
                    found[partition, raw.offset] = raw
                if message.error() is None or message.error().code() == KafkaError._PARTITION_EOF:
                    position = max(position, message.offset() + 1)
        self._consumer.unassign()
        return found


def _raw(message: Any) -> Raw:
    return Raw(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
    )
