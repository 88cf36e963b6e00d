"""Leader epochs: together with an offset they identify a partition's log (KIP-320).

A log that was cut and refilled ends beyond the position like any other, but its records have later
epochs. A broker that is asked for an offset together with the epoch of the record below it reports
where the two logs diverge.

librdkafka asks on its own when the leader of a partition changes, and when it first learns of one.
A group member has learned of all leaders before it is assigned anything. So assigned positions are
checked once through a new client.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, TopicPartition

from lake.ledger import SourcePartition
from schemas.errors import FatalError, RetryableError
from stream.client_errors import ClientErrors
from stream.cluster import REQUEST_TIMEOUT_SECONDS, Cluster
from stream.config import KafkaSettings
from stream.kafka_client import make_consumer
from stream.messages import is_offset_reset, source_of
from stream.owned_partition import Assignment, OwnedPartition
from stream.take_over import describe_cut_log

_TRUNCATED: Final = "log truncation detected"
"""How librdkafka's message begins for a log that was truncated below the requested epoch."""
_FETCH_QUEUE: Final = 2**20
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class LeaderEpochCheck:
    """Checks with the brokers that positions belong to their logs. ``monotonic`` is in seconds."""

    settings: KafkaSettings
    cluster: Cluster
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, partitions: Sequence[OwnedPartition]) -> None:
        """Raise FatalError if a log was cut below its position; positions without an epoch pass.

        Raises RetryableError if Kafka does not answer in time.
        """
        starts = {
            item.source: to_topic_partition(item)
            for item in partitions
            if item.range.epoch is not None
        }
        if not starts:
            return
        errors = ClientErrors()
        group = f"{self.settings.group_id}-epochs"
        client = make_consumer(self.settings, fetch_queue=_FETCH_QUEUE, errors=errors, group=group)
        try:
            client.assign(list(starts.values()))
            self._wait(client, errors, starts)
        finally:
            client.close()

    def _wait(
        self, client: Any, errors: ClientErrors, starts: Mapping[SourcePartition, TopicPartition]
    ) -> None:
        pending, deadline = set(starts), self.monotonic() + REQUEST_TIMEOUT_SECONDS
        while pending:
            messages = client.consume(len(pending), _POLL_SECONDS)
            errors.check()
            for message in messages:
                source, error = source_of(message), message.error()
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    pending.discard(source)
                elif is_offset_reset(error):
                    pending.discard(source)
                    if _TRUNCATED in error.str().lower():
                        raise FatalError(describe_cut_log(source, starts[source].offset))
                else:
                    translated = self.cluster.translate(error, source.topic)
                    if isinstance(translated, FatalError):
                        raise translated
            if pending and self.monotonic() > deadline:
                raise RetryableError(
                    f"{min(pending)}: Kafka did not confirm in time that the position is in its log"
                )


def to_topic_partition(item: OwnedPartition) -> TopicPartition:
    """Return the offset to fetch next, with the epoch of the record before it if known."""
    coordinates = item.source.topic, item.source.partition, item.range.next
    if item.range.epoch is None:
        return TopicPartition(*coordinates)
    return TopicPartition(*coordinates, leader_epoch=item.range.epoch)


def record_epochs(assignment: Assignment, last: Mapping[SourcePartition, Any]) -> None:
    """Record the leader epoch of each partition's last message."""
    for source, message in last.items():
        owned, epoch = assignment.owned.get(source), message.leader_epoch()
        if owned is not None:
            valid = epoch if epoch is not None and epoch >= 0 else None
            owned.range.set_epoch(message.offset(), valid)


def raise_if_truncated(error: KafkaError, message: Any, assignment: Assignment) -> None:
    """Raise FatalError if a broker reports that its log was cut below the position."""
    if _TRUNCATED in error.str().lower():
        source = source_of(message)
        owned = assignment.owned.get(source)
        raise FatalError(describe_cut_log(source, owned.range.next if owned else 0))
