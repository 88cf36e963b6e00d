"""Leader epochs: with that of the record before it, an offset says which log it is of (KIP-320).

A log that was cut and filled again ends beyond the position like any other. But its records are of
later epochs: a broker that is asked for an offset together with the epoch of the record below it
answers where its log and that of then part.

librdkafka asks by itself when the leader of a partition changes, and when it first hears of one. A
member of a group has heard of all leaders before it is given anything: so the positions of what was
given are asked for once, through a client that knows nothing yet.
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
from stream.owned_partition import Assignment, OwnedPartition
from stream.take_over import describe_cut_log

_TRUNCATED: Final = "log truncation detected"
"""How librdkafka begins what it says of an offset that was asked for with its epoch."""
_RESET: Final = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}
_FETCH_QUEUE: Final = 2**20
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class LeaderEpochCheck:
    """Asks the brokers whether positions are of their logs. ``monotonic`` gives seconds."""

    settings: KafkaSettings
    cluster: Cluster
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self, taken: Sequence[OwnedPartition]) -> None:
        """Raise FatalError if a log was cut below its position; positions without epoch pass.

        RetryableError if Kafka does not answer in time.
        """
        asked = {
            item.source: to_topic_partition(item) for item in taken if item.range.epoch is not None
        }
        if not asked:
            return
        errors = ClientErrors()
        group = f"{self.settings.group_id}-epochs"
        client = make_consumer(self.settings, fetch_queue=_FETCH_QUEUE, errors=errors, group=group)
        try:
            client.assign(list(asked.values()))
            self._wait(client, errors, asked)
        finally:
            client.close()

    def _wait(
        self, client: Any, errors: ClientErrors, asked: Mapping[SourcePartition, TopicPartition]
    ) -> None:
        left, deadline = set(asked), self.monotonic() + REQUEST_TIMEOUT_SECONDS
        while left:
            messages = client.consume(len(left), _POLL_SECONDS)
            errors.check()
            for message in messages:
                source, error = (
                    SourcePartition(message.topic(), message.partition()),
                    message.error(),
                )
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    left.discard(source)
                elif error.code() in _RESET:
                    left.discard(source)
                    if _TRUNCATED in error.str().lower():
                        raise FatalError(describe_cut_log(source, asked[source].offset))
                else:
                    translated = self.cluster.translated(error, source.topic)
                    if isinstance(translated, FatalError):
                        raise translated
            if left and self.monotonic() > deadline:
                raise RetryableError(
                    f"{min(left)}: Kafka did not answer in time whether the position is of its log"
                )


def to_topic_partition(item: OwnedPartition) -> TopicPartition:
    """Return from where a partition is fetched, with the epoch of the record before, if known."""
    where = item.source.topic, item.source.partition, item.range.next
    if item.range.epoch is None:
        return TopicPartition(*where)
    return TopicPartition(*where, leader_epoch=item.range.epoch)


def record_epochs(assignment: Assignment, last: Mapping[SourcePartition, Any]) -> None:
    """Remember the leader epoch of the last message of each partition that was taken in."""
    for source, message in last.items():
        owned, epoch = assignment.owned.get(source), message.leader_epoch()
        if owned is not None:
            known = epoch if epoch is not None and epoch >= 0 else None
            owned.range.came_with(message.offset(), known)


def raise_if_truncated(error: KafkaError, message: Any, assignment: Assignment) -> None:
    """Raise FatalError if a broker says that its log was cut below the position."""
    if _TRUNCATED in error.str().lower():
        source = SourcePartition(message.topic(), message.partition())
        owned = assignment.owned.get(source)
        raise FatalError(describe_cut_log(source, owned.range.next if owned else 0))
