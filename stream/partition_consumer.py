"""The worker's Kafka consumer: polling, and both kinds of group assignment.

With the classic protocol the client is always given all of its partitions, with the consumer
protocol (KIP-848) only those that come or go.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from lake.ledger import SourcePartition
from stream.client_errors import ClientErrors
from stream.leader_epochs import to_topic_partition
from stream.messages import to_partitions
from stream.owned_partition import OwnedPartition
from stream.tracing import NO_TRACER, Tracer

Rebalanced = Callable[[Any, Sequence[TopicPartition]], None]


@dataclass(slots=True)
class PartitionConsumer:
    """Wraps one consumer. ``cooperative`` means the consumer protocol."""

    consumer: Any
    cooperative: bool
    errors: ClientErrors
    tracer: Tracer = NO_TRACER
    paused: bool = False

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        on_assign: Rebalanced,
        on_revoke: Rebalanced,
        on_lost: Rebalanced,
    ) -> None:
        """Join the group."""
        self.consumer.subscribe(topics, on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)

    def poll(self, records: int, seconds: float) -> Sequence[Any]:
        """Return the next messages; raises the error of a client that has ended."""
        with self.tracer.span("poll"):
            messages: Sequence[Any] = self.consumer.consume(records, seconds)
        self.errors.check()
        return messages

    def assign(self, partitions: Sequence[OwnedPartition]) -> None:
        """Fetch newly assigned partitions, from their positions."""
        starts = [to_topic_partition(item) for item in partitions]
        if self.cooperative:
            self.consumer.incremental_assign(starts)
        else:
            self.consumer.assign(starts)
        self.paused = False

    def unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop fetching revoked partitions."""
        if self.cooperative:
            self.consumer.incremental_unassign(list(partitions))
        else:
            self.consumer.unassign()

    def reposition(self, owned: Iterable[OwnedPartition]) -> None:
        """Fetch all owned partitions from their actual offsets."""
        starts = [to_topic_partition(item) for item in owned]
        if not starts:
            return
        if self.cooperative:
            self.consumer.incremental_unassign(starts)
            self.consumer.incremental_assign(starts)
        else:
            self.consumer.assign(starts)
        self.paused = False

    def pause(self, sources: Iterable[SourcePartition]) -> None:
        """Pause fetching."""
        self.consumer.pause(to_partitions(sources))
        self.paused = True

    def resume(self, sources: Iterable[SourcePartition]) -> None:
        """Resume fetching."""
        self.consumer.resume(to_partitions(sources))
        self.paused = False

    def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Commit the group's offsets, without waiting."""
        self.consumer.commit(offsets=offsets, asynchronous=True)

    def cached_high(self, source: SourcePartition) -> int | None:
        """Return the partition's end as of the last fetch; None before the first."""
        (partition,) = to_partitions([source])
        try:
            _, high = self.consumer.get_watermark_offsets(partition, cached=True)
        except KafkaException:
            return None
        return int(high) if high >= 0 else None

    def close(self) -> None:
        """Leave the group and close the connection."""
        self.consumer.close()
