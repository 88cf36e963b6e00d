"""Produces label events to a Kafka topic, each at least once."""

from collections.abc import Iterable
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.errors import FatalError, RetryableError
from schemas.records import LabelEvent
from stream.client_errors import ClientErrors, is_fatal
from stream.config import KafkaSettings
from stream.kafka_client import PROPERTY_ERRORS, admin_properties, to_property_error

PRODUCE_TIMEOUT_SECONDS = 30.0


class LabelProducer:
    """Produces label events as JSON, keyed by trace id.

    The idempotent producer does not duplicate what it has to resend; events resent after a restart
    have the same `label_event_id`. Raises UsageError if the client refuses a property from the
    settings.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self.errors = ClientErrors()
        properties: dict[str, Any] = {
            "linger.ms": 20,
            "compression.type": "lz4",
            **admin_properties(settings),
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": int(PRODUCE_TIMEOUT_SECONDS * 1000),
            "error_cb": self.errors.record,
        }
        try:
            self._producer = Producer(properties)
        except PROPERTY_ERRORS as error:
            raise to_property_error(error) from None

    def send(self, events: Iterable[LabelEvent]) -> None:
        """Produce events and wait until the brokers have them all.

        Raises RetryableError if some were not acknowledged: send all of them again.
        """
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                failed.append(error)

        for event in events:
            self._enqueue(event, on_delivery)
        unsent = self._producer.flush(2 * PRODUCE_TIMEOUT_SECONDS)
        self.errors.check()
        if failed:
            raise _translated(failed[0], self._topic)
        if unsent:
            raise RetryableError(f"producing to {self._topic}: Kafka did not answer in time")

    def _enqueue(self, event: LabelEvent, on_delivery: Any) -> None:
        value = msgspec.json.encode(event)
        while True:
            try:
                self._producer.produce(
                    self._topic, key=event.trace_id, value=value, on_delivery=on_delivery
                )
            except BufferError:
                self._producer.poll(0.1)
                self.errors.check()
            except KafkaException as error:
                raise _translated(error.args[0], self._topic) from None
            else:
                self._producer.poll(0)
                return


def _translated(error: KafkaError, topic: str) -> RetryableError | FatalError:
    if is_fatal(error) or error.code() in _REFUSED:
        return FatalError(
            f"label events cannot be produced to {topic} ({error.name()}): they are in the lake; "
            "fix the topic or its access list and restart the worker, which sends them"
        )
    return RetryableError(f"producing to {topic}: {error.name()}")


_REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError._UNKNOWN_PARTITION,
}
