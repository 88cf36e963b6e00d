"""Produces label events to a topic, each at least once, named by its id."""

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
    """A topic of label events: JSON by the contract, keyed by trace id.

    A producer that is idempotent for Kafka does not double what it has to send again; what a
    restart sends again has the same `label_event_id`. Raises UsageError if the client refuses one
    of the user's properties.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._errors = ClientErrors()
        properties: dict[str, Any] = {
            "linger.ms": 20,
            "compression.type": "lz4",
            **admin_properties(settings),
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": int(PRODUCE_TIMEOUT_SECONDS * 1000),
            "error_cb": self._errors.record,
        }
        try:
            self._producer = Producer(properties)
        except PROPERTY_ERRORS as error:
            raise to_property_error(error) from None

    def send(self, events: Iterable[LabelEvent]) -> None:
        """Produce events and wait until the brokers have them all.

        Raises RetryableError if they have not answered for some of them: send all of them again.
        """
        failed: list[KafkaError] = []

        def answered(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                failed.append(error)

        for event in events:
            self._enqueue(event, answered)
        left = self._producer.flush(2 * PRODUCE_TIMEOUT_SECONDS)
        self._errors.check()
        if failed:
            raise _translated(failed[0], self._topic)
        if left:
            raise RetryableError(f"producing to {self._topic}: Kafka did not answer in time")

    def _enqueue(self, event: LabelEvent, answered: Any) -> None:
        value = msgspec.json.encode(event)
        while True:
            try:
                self._producer.produce(
                    self._topic, key=event.trace_id, value=value, on_delivery=answered
                )
            except BufferError:
                self._producer.poll(0.1)
                self._errors.check()
            except KafkaException as error:
                raise _translated(error.args[0], self._topic) from None
            else:
                self._producer.poll(0)
                return


def _translated(error: KafkaError, topic: str) -> RetryableError | FatalError:
    if is_fatal(error) or error.code() in _REFUSED:
        return FatalError(
            f"label events cannot be produced to {topic} ({error.name()}): they are in the lake; "
            "mend the topic or its access list and start the worker again, which sends them"
        )
    return RetryableError(f"producing to {topic}: {error.name()}")


_REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError._UNKNOWN_PARTITION,
}
