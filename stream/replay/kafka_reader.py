"""Reads ranges of partitions from Kafka, outside of any consumer group.

It assigns partitions to itself, commits no offsets, and holds no more ahead than it is told to; so
nothing of it is seen by the live workers, whose group it is not in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import FatalError, RetryableError
from schemas.record_batches import RawRecord
from stream.client_errors import ClientErrors
from stream.cluster import REQUEST_TIMEOUT_SECONDS, Cluster
from stream.config import KafkaSettings
from stream.kafka_client import admin_properties, make_consumer
from stream.record_fetcher import to_raw
from stream.replay.replay_range import PartitionBounds

POLL_SECONDS = 0.2
_RESET = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """Records in the order of their offsets, and partitions of which there is no more for now.

    ``trouble`` is what the client reports beside them; it mends itself, or nothing more comes.
    """

    raws: Sequence[RawRecord] = ()
    ends: Mapping[SourcePartition, int] = field(default_factory=dict)
    trouble: RetryableError | None = None

    @property
    def empty(self) -> bool:
        """Return whether Kafka has said nothing."""
        return not self.raws and not self.ends


class KafkaReader:
    """One consumer for the partitions of one topic.

    ``heard`` is told whenever Kafka has answered. Raises UsageError if the client refuses one of
    the properties.
    """

    def __init__(self, settings: KafkaSettings, topic: str, *, fetch_queue: int) -> None:
        self._topic = topic
        self._errors = ClientErrors()
        self._cluster = Cluster(
            admin_properties(settings), bootstrap_servers=settings.bootstrap_servers
        )
        self._consumer = make_consumer(
            settings,
            fetch_queue=fetch_queue,
            errors=self._errors,
            group=f"{settings.group_id}-replay",
        )

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def incarnation(self, topic: str) -> Incarnation:
        """Return which incarnation of the topic is there; errors as in `Cluster`."""
        return self._cluster.incarnation(topic)

    def known(
        self, positions: Callable[[Sequence[SourcePartition]], Mapping[SourcePartition, int | None]]
    ) -> Any:
        """Return what is known of each partition of which something is stored, by `SourcePartition`."""
        sources = self._cluster.partitions([self._topic])
        stored = {source: at for source, at in positions(sources).items() if at is not None}
        return {
            source: PartitionBounds(*self.watermarks(source), position)
            for source, position in stored.items()
        }

    def watermarks(self, source: SourcePartition) -> tuple[int, int]:
        """Return the first offset that Kafka still has and the one after the last."""
        return self._cluster.watermarks(self._consumer, source)

    def offset_at(self, source: SourcePartition, moment: datetime) -> int | None:
        """Return the first offset of a time or later, None if there is none.

        Raises RetryableError if Kafka does not answer.
        """
        asked = TopicPartition(source.topic, source.partition, int(moment.timestamp() * 1000))
        try:
            found = self._consumer.offsets_for_times([asked], timeout=REQUEST_TIMEOUT_SECONDS)[0]
        except KafkaException as error:
            raise self._cluster.translated(error.args[0], self._topic) from error
        return int(found.offset) if found.offset >= 0 else None

    def assign(self, starts: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self._consumer.assign([TopicPartition(s.topic, s.partition, o) for s, o in starts.items()])

    def drop(self, source: SourcePartition) -> None:
        """Read a partition no further."""
        self._consumer.incremental_unassign([TopicPartition(source.topic, source.partition)])

    def read(self, most: int) -> ReplayBatch:
        """Return what comes next, at most so many records.

        Raises FatalError if Kafka has deleted what was to be read, or refuses us: what came before
        in the same batch is then read by the next run.
        """
        messages = self._consumer.consume(most, POLL_SECONDS)
        self._errors.check()
        raws: list[RawRecord] = []
        ends: dict[SourcePartition, int] = {}
        trouble: RetryableError | None = None
        for message in messages:
            error = message.error()
            if error is None:
                raws.append(to_raw(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                ends[SourcePartition(message.topic(), message.partition())] = message.offset()
            elif error.code() in _RESET:
                raise FatalError(describe_deleted_records(self._topic))
            else:
                translated = self._cluster.translated(error, self._topic)
                if isinstance(translated, FatalError):
                    raise translated
                trouble = translated
        return ReplayBatch(raws, ends, trouble)


def describe_deleted_records(topic: str) -> str:
    """Return the message for records that Kafka deleted before a replay had read them."""
    return (
        f"{topic}: Kafka has deleted records that were still to be replayed (retention): abandon "
        "this replay and begin one of what is left"
    )


def make_silence_error(error: RetryableError | None, seconds: float) -> FatalError:
    """Return the error for a Kafka that has said nothing for so long."""
    return FatalError(
        f"reading from Kafka: nothing came for {seconds:g} s"
        f"{f' ({error})' if error else ''}; run the command again to go on"
    )
