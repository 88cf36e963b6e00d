"""Leader epochs: with the epoch of the record before it, an offset says which log it is of (KIP-320).

A log that was cut and filled again ends beyond the position like any other. But its records are of
later epochs: a broker that is asked for an offset together with the epoch of the record below it
answers where its log and that of then part.
"""

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, TopicPartition

from lake.ledger import Source
from schemas.errors import FatalError
from stream.assignment import cut_below
from stream.owned import Assignment, Owned

_TRUNCATED: Final = "log truncation detected"
"""How librdkafka begins what it says of an offset that was asked for with its epoch."""


def start_at(item: Owned) -> TopicPartition:
    """Return from where a partition is fetched, with the epoch of the record before, if known."""
    where = item.source.topic, item.source.partition, item.range.next
    if item.range.epoch is None:
        return TopicPartition(*where)
    return TopicPartition(*where, leader_epoch=item.range.epoch)


def note_epochs(assignment: Assignment, last: Mapping[Source, Any]) -> None:
    """Remember the leader epoch of the last message of each partition that was taken in."""
    for source, message in last.items():
        owned, epoch = assignment.owned.get(source), message.leader_epoch()
        if owned is not None:
            known = epoch if epoch is not None and epoch >= 0 else None
            owned.range.came_with(message.offset(), known)


def refuse_truncation(error: KafkaError, message: Any, assignment: Assignment) -> None:
    """Raise FatalError if a broker says that its log was cut below the position."""
    if _TRUNCATED in error.str().lower():
        source = Source(message.topic(), message.partition())
        owned = assignment.owned.get(source)
        raise FatalError(cut_below(source, owned.range.next if owned else 0))
