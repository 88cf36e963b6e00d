"""Converts between Kafka client objects (messages, topic partitions) and the pipeline's types."""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from lake.ledger import SourcePartition
from schemas.record_batches import RawRecord

_RESET_CODES = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


def to_raw(message: Any, *, headers: bool = False) -> RawRecord:
    """Return the record of a message, with its headers if they are needed."""
    return RawRecord(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()) if headers else (),
    )


def source_of(message: Any) -> SourcePartition:
    """Return the partition of a message or of an error reported as one."""
    return SourcePartition(message.topic(), message.partition())


def to_sources(partitions: Iterable[TopicPartition]) -> list[SourcePartition]:
    """Return partitions as the pipeline's type."""
    return [SourcePartition(item.topic, item.partition) for item in partitions]


def to_partitions(sources: Iterable[SourcePartition]) -> list[TopicPartition]:
    """Return partitions as the client's type, without an offset."""
    return [TopicPartition(source.topic, source.partition) for source in sources]


def is_offset_reset(error: KafkaError) -> bool:
    """Return whether Kafka no longer has the requested offset, or never had it."""
    return error.code() in _RESET_CODES
