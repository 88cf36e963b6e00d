"""Configures Kafka consumers to take positions from the tables, never from the group."""

from typing import Any, Final

from confluent_kafka import Consumer, KafkaException

from schemas.errors import UsageError
from stream.client_errors import ClientErrors
from stream.config import KafkaSettings

CLIENT_ID = "goldpan"
PROPERTY_ERRORS: Final = (KafkaException, TypeError, ValueError, AttributeError)
"""What creating a client raises for an unusable property; see `to_property_error`."""


def connection_properties(settings: KafkaSettings) -> dict[str, Any]:
    """Return the properties of every client: the brokers and the user's properties."""
    return {
        "client.id": CLIENT_ID,
        # The client's messages reach our own log as events, not standard error.
        "log_level": 2,
        **settings.properties,
        "bootstrap.servers": settings.bootstrap_servers,
    }


def admin_properties(settings: KafkaSettings) -> dict[str, Any]:
    """Return the user's properties without those that only a consumer has."""
    consumer_only = (
        "fetch.",
        "queued.",
        "max.poll",
        "session.",
        "heartbeat.",
        "isolation.",
        "group.",
    )
    return {
        name: value
        for name, value in connection_properties(settings).items()
        if not name.startswith(consumer_only)
    }


_SESSION_MS: Final = 10_000
"""After this, Kafka gives the partitions of a worker that died to others.

librdkafka would wait for 45 s. Its own thread sends the heartbeats, whatever Python does, so three
of them fit into this time even while a batch is redacted.
"""
_NAMED_SESSION_MS: Final = 45_000
"""The same for a worker with a name in the group, which is expected back.

A restarted pod needs half of this time: to be placed, to load and to join. After it, others take
over, and the return is another rebalance.
"""


def consumer_properties(settings: KafkaSettings, *, fetch_queue: int) -> dict[str, Any]:
    """Return the consumer's properties. ``fetch_queue`` limits its prefetched bytes."""
    classic = settings.group_protocol == "classic"
    assignor = "partition.assignment.strategy" if classic else "group.remote.assignor"
    name = settings.group_instance_id
    session = _SESSION_MS if name is None else _NAMED_SESSION_MS
    return {
        # In the other protocol the broker decides this.
        **({"session.timeout.ms": session} if classic else {}),
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 100,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": max(1024, fetch_queue // 1024),
        # When the queue is full. It lasts for less than the default of a second.
        "fetch.queue.backoff.ms": 20,
        # Of one partition. With little of each at a time, what belongs together in several is read
        # soon after each other, which the caches of redaction need.
        "fetch.message.max.bytes": max(2**17, fetch_queue // 32),
        # As compressed: a response that is unpacked takes several times as much beside the queue.
        "fetch.max.bytes": max(2**20, fetch_queue // 8),
        **connection_properties(settings),
        "group.id": settings.group_id,
        "group.protocol": settings.group_protocol,
        **({} if name is None else {"group.instance.id": name}),
        # Range assignment gives partitions of the same number in both topics to the same worker.
        assignor: "range",
        "auto.offset.reset": "error",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
    }


def make_consumer(
    settings: KafkaSettings, *, fetch_queue: int, errors: ClientErrors, group: str | None = None
) -> Any:
    """Make a consumer that reports to ``errors``; ``group`` overrides the configured group.

    Raises UsageError, quoting librdkafka, if it rejects a property.
    """
    properties = consumer_properties(settings, fetch_queue=fetch_queue)
    properties["group.id"] = group or settings.group_id
    try:
        return Consumer({**properties, "error_cb": errors.record})
    except PROPERTY_ERRORS as error:
        raise to_property_error(error) from None


def to_property_error(error: Exception) -> UsageError:
    """Return the error for a property that a client rejects, quoting the client."""
    message = error.args[0].str() if isinstance(error, KafkaException) else str(error)
    return UsageError(f"GOLDPAN_KAFKA__PROPERTIES: {message}")
