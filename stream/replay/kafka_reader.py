"""Reads ranges of partitions from Kafka, outside of any consumer group.

It assigns partitions itself, commits no offsets and limits its prefetched bytes. Live workers,
whose group it does not join, are unaffected.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import FatalError, RetryableError
from schemas.record_batches import RawRecord
from stream.cluster import REQUEST_TIMEOUT_SECONDS
from stream.config import KafkaSettings
from stream.direct_clients import connect_directly
from stream.messages import is_offset_reset, source_of, to_partitions, to_raw
from stream.replay.replay_range import PartitionBounds

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """Records in the order of their offsets, and partitions without more records for now.

    ``trouble`` is an error that the client reported alongside; either it is transient, or nothing
    more arrives.
    """

    raws: Sequence[RawRecord] = ()
    ends: Mapping[SourcePartition, int] = field(default_factory=dict)
    trouble: RetryableError | None = None

    @property
    def empty(self) -> bool:
        """Return whether Kafka returned nothing."""
        return not self.raws and not self.ends


class KafkaReader:
    """A consumer for the partitions of one topic.

    Raises UsageError if the client rejects one of the properties.
    """

    def __init__(self, settings: KafkaSettings, topic: str, *, fetch_queue: int) -> None:
        self._topic = topic
        self._cluster, self._consumer, self.errors = connect_directly(
            settings, "replay", fetch_queue=fetch_queue
        )

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def incarnation(self, topic: str) -> Incarnation:
        """Return the topic's current incarnation; errors as in `Cluster`."""
        return self._cluster.incarnation(topic)

    def read_bounds(
        self, positions: Callable[[Sequence[SourcePartition]], Mapping[SourcePartition, int | None]]
    ) -> Any:
        """Return the bounds of each partition that has stored records, by partition."""
        sources = self._cluster.partitions([self._topic])
        stored = {source: at for source, at in positions(sources).items() if at is not None}
        return {
            source: PartitionBounds(*self.watermarks(source), position)
            for source, position in stored.items()
        }

    def watermarks(self, source: SourcePartition) -> tuple[int, int]:
        """Return the first remaining offset and the one after the last."""
        return self._cluster.watermarks(self._consumer, source)

    def offset_at(self, source: SourcePartition, moment: datetime) -> int | None:
        """Return the first offset at or after a time, None if there is none.

        Raises RetryableError if Kafka is unavailable.
        """
        query = TopicPartition(source.topic, source.partition, int(moment.timestamp() * 1000))
        try:
            answer = self._consumer.offsets_for_times([query], timeout=REQUEST_TIMEOUT_SECONDS)[0]
        except KafkaException as error:
            raise self._cluster.translate(error.args[0], self._topic) from error
        return int(answer.offset) if answer.offset >= 0 else None

    def assign(self, starts: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        self._consumer.assign([TopicPartition(s.topic, s.partition, o) for s, o in starts.items()])

    def drop(self, source: SourcePartition) -> None:
        """Stop reading a partition."""
        self._consumer.incremental_unassign(to_partitions([source]))

    def read(self, limit: int) -> ReplayBatch:
        """Return the next records, up to ``limit``.

        Raises FatalError if Kafka has deleted records of the range, or denies access. The next run
        then re-reads the earlier records of the same batch.
        """
        messages = self._consumer.consume(limit, POLL_SECONDS)
        self.errors.check()
        raws: list[RawRecord] = []
        ends: dict[SourcePartition, int] = {}
        trouble: RetryableError | None = None
        for message in messages:
            error = message.error()
            if error is None:
                raws.append(to_raw(message, headers=True))
            elif error.code() == KafkaError._PARTITION_EOF:
                ends[source_of(message)] = message.offset()
            elif is_offset_reset(error):
                raise FatalError(describe_deleted_records(self._topic))
            else:
                translated = self._cluster.translate(error, self._topic)
                if isinstance(translated, FatalError):
                    raise translated
                trouble = translated
        return ReplayBatch(raws, ends, trouble)


def describe_deleted_records(topic: str) -> str:
    """Return the message for records that Kafka deleted before a replay read them."""
    return (
        f"{topic}: Kafka has deleted records that were still to be replayed (retention): abandon "
        "this replay and begin another for the remaining records"
    )


def make_silence_error(error: RetryableError | None, seconds: float) -> FatalError:
    """Return the error for a Kafka that has returned nothing for too long."""
    return FatalError(
        f"reading from Kafka: no records for {seconds:g} s"
        f"{f' ({error})' if error else ''}; repeat the command to continue"
    )
