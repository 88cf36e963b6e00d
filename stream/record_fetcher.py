"""Fetches single records from Kafka by their coordinates."""

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, TopicPartition

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import RetryableError
from schemas.record_batches import RawRecord
from stream.config import KafkaSettings
from stream.direct_clients import connect_directly
from stream.messages import to_raw

FETCH_QUEUE_BYTES = 8 * 2**20
WAIT_SECONDS = 10.0


class RecordFetcher:
    """Fetches records by coordinates, outside of any consumer group.

    Raises UsageError if the client rejects one of the properties.
    """

    def __init__(self, settings: KafkaSettings, *, monotonic: Callable[[], float]) -> None:
        self._cluster, self._consumer, self.errors = connect_directly(
            settings, "fetch", fetch_queue=FETCH_QUEUE_BYTES
        )
        self._monotonic = monotonic

    def incarnation(self, topic: str) -> Incarnation:
        """Return which incarnation of a topic the records come from; errors as in `Cluster`."""
        return self._cluster.incarnation(topic)

    def fetch(
        self, topic: str, coordinates: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], RawRecord]:
        """Return the records that Kafka still has, by (partition, offset).

        Raises RetryableError if Kafka is unavailable, FatalError if it denies access.
        """
        by_partition: dict[int, set[int]] = {}
        for partition, offset in coordinates:
            by_partition.setdefault(partition, set()).add(offset)
        records: dict[tuple[int, int], RawRecord] = {}
        for partition, offsets in by_partition.items():
            low, high = self._cluster.watermarks(self._consumer, SourcePartition(topic, partition))
            available = {offset for offset in offsets if low <= offset < high}
            if available:
                records |= self._fetch_partition(topic, partition, available)
        return records

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _fetch_partition(
        self, topic: str, partition: int, offsets: set[int]
    ) -> dict[tuple[int, int], RawRecord]:
        records: dict[tuple[int, int], RawRecord] = {}
        last = max(offsets)
        position = min(offsets)
        self._consumer.assign([TopicPartition(topic, partition, position)])
        answered = self._monotonic()
        while position <= last:
            messages = self._consumer.consume(500, 0.5)
            self.errors.check()
            if messages:
                answered = self._monotonic()
            elif self._monotonic() - answered > WAIT_SECONDS:
                raise RetryableError(f"{topic}/{partition}: Kafka did not answer in time")
            for message in messages:
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise self._cluster.translate(error, topic)
                if error is None and message.offset() in offsets:
                    raw = to_raw(message, headers=True)
                    records[partition, raw.offset] = raw
                position = max(position, message.offset() + 1)
        self._consumer.unassign()
        return records
