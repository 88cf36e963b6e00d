"""Reading single records from Kafka again, by their coordinates."""

from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import RetryableError
from schemas.record_batches import RawRecord
from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.config import KafkaSettings
from stream.kafka_client import admin_properties, make_consumer

FETCH_QUEUE_BYTES = 8 * 2**20
WAIT_SECONDS = 10.0


class RecordFetcher:
    """Gets records by coordinates, outside of any consumer group.

    Raises UsageError if the client refuses one of the properties.
    """

    def __init__(self, settings: KafkaSettings, *, monotonic: Callable[[], float]) -> None:
        self._errors = ClientErrors()
        self._cluster = Cluster(
            admin_properties(settings), bootstrap_servers=settings.bootstrap_servers
        )
        self._consumer = make_consumer(
            settings,
            fetch_queue=FETCH_QUEUE_BYTES,
            errors=self._errors,
            group=f"{settings.group_id}-fetch",
        )
        self._monotonic = monotonic

    def incarnation(self, topic: str) -> Incarnation:
        """Return which incarnation of a topic the records come from; errors as in `Cluster`."""
        return self._cluster.incarnation(topic)

    def fetch(
        self, topic: str, coordinates: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], RawRecord]:
        """Return the records that Kafka still has, by (partition, offset).

        Raises RetryableError if Kafka does not answer, FatalError if it does not let us in.
        """
        by_partition: dict[int, set[int]] = {}
        for partition, offset in coordinates:
            by_partition.setdefault(partition, set()).add(offset)
        found: dict[tuple[int, int], RawRecord] = {}
        for partition, offsets in by_partition.items():
            low, high = self._cluster.watermarks(self._consumer, SourcePartition(topic, partition))
            wanted = {offset for offset in offsets if low <= offset < high}
            if wanted:
                found |= self._partition(topic, partition, wanted)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _partition(
        self, topic: str, partition: int, wanted: set[int]
    ) -> dict[tuple[int, int], RawRecord]:
        found: dict[tuple[int, int], RawRecord] = {}
        last = max(wanted)
        position = min(wanted)
        self._consumer.assign([TopicPartition(topic, partition, position)])
        heard = self._monotonic()
        while position <= last:
            messages = self._consumer.consume(500, 0.5)
            self._errors.check()
            if messages:
                heard = self._monotonic()
            elif self._monotonic() - heard > WAIT_SECONDS:
                raise RetryableError(f"{topic}/{partition}: Kafka did not answer in time")
            for message in messages:
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise self._cluster.translated(error, topic)
                if error is None and message.offset() in wanted:
                    raw = to_raw(message)
                    found[partition, raw.offset] = raw
                position = max(position, message.offset() + 1)
        self._consumer.unassign()
        return found


def to_raw(message: Any) -> RawRecord:
    """Return a record as the pipeline has it, of a message as Kafka's client has it."""
    return RawRecord(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
    )
