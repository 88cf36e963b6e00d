"""Puts records on topics, and gives back where each of them is."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from tests.servers.kafka import unique

_SECONDS = 120


class Record(NamedTuple):
    """What to produce. Without ``partition`` the key decides (murmur2, as in Java clients)."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Coordinate(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


class NotDeliveredError(Exception):
    """The broker has not acknowledged every record."""


def produce(
    bootstrap: str,
    topic: str,
    records: Iterable[Record | tuple[Any, ...]],
    properties: Mapping[str, Any] | None = None,
) -> list[Coordinate]:
    """Produce records and give their coordinates, in the order of ``records``.

    Plain tuples are read as ``Record(*fields)``. Raises NotDeliveredError unless each of them was
    acknowledged: ``flush()`` alone says nothing about that.
    """
    producer = _producer(bootstrap, properties)
    delivery = _Delivery()
    _send(producer, topic, records, delivery)
    producer.flush(_SECONDS)
    return delivery.coordinates()


def produce_transaction(
    bootstrap: str,
    topic: str,
    records: Iterable[Record | tuple[Any, ...]],
    *,
    commit: bool,
    properties: Mapping[str, Any] | None = None,
) -> list[Coordinate]:
    """Produce records in one transaction, then commit or abort it.

    Gives the coordinates also of records that are aborted: they take offsets that no
    read_committed consumer sees, and so does the marker at the end.
    """
    transaction = {"transactional.id": unique("test"), "transaction.timeout.ms": _SECONDS * 1000}
    producer = _producer(bootstrap, {**transaction, **(properties or {})})
    producer.init_transactions(_SECONDS)
    producer.begin_transaction()
    delivery = _Delivery()
    _send(producer, topic, records, delivery)
    producer.flush(_SECONDS)
    if commit:
        producer.commit_transaction(_SECONDS)
    else:
        producer.abort_transaction(_SECONDS)
    return delivery.coordinates()


class _Delivery:
    """Collects what the broker answered for each record."""

    def __init__(self) -> None:
        self._found: list[Coordinate | None] = []
        self._errors: list[str] = []

    def next(self) -> int:
        """A place for the answer to one more record."""
        self._found.append(None)
        return len(self._found) - 1

    def answer(self, index: int, error: KafkaError | None, message: Message) -> None:
        """Called by the client, once for each record."""
        partition, offset = message.partition(), message.offset()
        if error is not None:
            self._errors.append(error.str())
        elif partition is not None and offset is not None:
            self._found[index] = Coordinate(partition, offset)

    def coordinates(self) -> list[Coordinate]:
        """All of them; raises NotDeliveredError if one is missing."""
        done = [found for found in self._found if found is not None]
        if len(done) < len(self._found):
            why = sorted(set(self._errors)) or ["no answer"]
            missing = len(self._found) - len(done)
            raise NotDeliveredError(f"{missing} of {len(self._found)} records: {', '.join(why)}")
        return done


def _producer(bootstrap: str, properties: Mapping[str, Any] | None) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "enable.idempotence": True,
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "message.max.bytes": 16 * 1024 * 1024,
            "message.timeout.ms": _SECONDS * 1000,
            **(properties or {}),
        }
    )


def _send(
    producer: Producer, topic: str, records: Iterable[Record | tuple[Any, ...]], delivery: _Delivery
) -> None:
    for fields in records:
        record = Record(*fields)
        arguments: dict[str, Any] = {"key": record.key, "value": record.value}
        if record.partition is not None:
            arguments["partition"] = record.partition
        if record.timestamp_ms is not None:
            arguments["timestamp"] = record.timestamp_ms
        if record.headers:
            arguments["headers"] = list(record.headers)
        arguments["on_delivery"] = partial(delivery.answer, delivery.next())
        _enqueue(producer, topic, arguments)


def _enqueue(producer: Producer, topic: str, arguments: dict[str, Any]) -> None:
    while True:
        try:
            producer.produce(topic, **arguments)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
