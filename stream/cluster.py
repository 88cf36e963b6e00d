"""What the brokers say of the topics: do they exist, which incarnation, from where to where.

Every question has a time limit, and a broker that does not answer is a RetryableError; what only a
person can mend (no such topic, no permission) is a FatalError.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import FatalError, RetryableError
from stream.client_errors import (
    ACCESS_DENIED,
    ClientErrors,
    is_access_denied,
    is_fatal,
    translate_fatal,
)
from stream.kafka_client import PROPERTY_ERRORS, to_property_error

REQUEST_TIMEOUT_SECONDS = 10.0
_READ = "GOLDPAN_KAFKA__TRACES_TOPIC or GOLDPAN_KAFKA__FEEDBACK_TOPIC"
_EMBEDDED = "mockCluster"  # librdkafka's own broker, for demos: it answers no admin calls
_CHECK_PROPERTIES = "check GOLDPAN_KAFKA__PROPERTIES and the access lists of the cluster"
_REMEDY = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "check GOLDPAN_KAFKA__GROUP_ID and the access lists of "
    "the cluster",
}
_NO_CONNECTION = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}
_UNREACHABLE = ": does it run, and is GOLDPAN_KAFKA__BOOTSTRAP_SERVERS its address?"
_ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}


class Cluster:
    """Asks the brokers, through an admin client and through the consumer whose offsets count.

    Raises UsageError if the client refuses one of the properties.
    """

    def __init__(self, properties: Mapping[str, Any], *, bootstrap_servers: str) -> None:
        self._bootstrap = bootstrap_servers
        self._errors = ClientErrors()
        all_properties: dict[str, Any] = {**properties, "error_cb": self._errors.hear}
        try:
            self._admin = AdminClient(all_properties)
        except PROPERTY_ERRORS as error:
            raise to_property_error(error) from None

    def partitions(self, topics: Sequence[str], setting: str = _READ) -> list[SourcePartition]:
        """Return all partitions of the topics, in order.

        Raises FatalError, with the ``setting`` that names them, if a topic does not exist or may
        not be read.
        """
        found: list[SourcePartition] = []
        for topic in topics:
            ask = partial(self._admin.list_topics, topic, REQUEST_TIMEOUT_SECONDS)
            metadata = self._call(topic, ask, setting)
            described = metadata.topics[topic]
            if described.error is not None:
                raise self.translated(described.error, topic, setting)
            found += [SourcePartition(topic, number) for number in sorted(described.partitions)]
        return found

    def answers(self, topic: str) -> bool:
        """Return whether a broker answers now; waits for `REQUEST_TIMEOUT_SECONDS` if none does."""
        try:
            self._admin.list_topics(topic, REQUEST_TIMEOUT_SECONDS)
        except KafkaException:
            return False
        return True

    def incarnation(self, topic: str) -> Incarnation:
        """Return the cluster's id and the topic's id; an empty topic id where brokers give none."""
        metadata = self._call(
            topic, lambda: self._admin.list_topics(topic, REQUEST_TIMEOUT_SECONDS)
        )
        cluster = metadata.cluster_id or ""
        if cluster.startswith(_EMBEDDED):
            return Incarnation(cluster, "")
        futures = self._admin.describe_topics(
            TopicCollection([topic]), request_timeout=REQUEST_TIMEOUT_SECONDS
        )
        described = self._call(
            topic, lambda: futures[topic].result(timeout=2 * REQUEST_TIMEOUT_SECONDS)
        )
        return Incarnation(cluster, str(described.topic_id or ""))

    def watermarks(self, consumer: Any, source: SourcePartition) -> tuple[int, int]:
        """Return the first offset that Kafka still has and the one after the last."""
        partition = TopicPartition(source.topic, source.partition)
        low, high = self._call(
            source.topic,
            lambda: consumer.get_watermark_offsets(partition, timeout=REQUEST_TIMEOUT_SECONDS),
        )
        return int(low), int(high)

    def _call(self, topic: str, question: Callable[[], Any], setting: str = _READ) -> Any:
        self._refused()  # what was refused before this question was is no answer to it
        try:
            return question()
        except KafkaException as error:
            raise self.translated(self._refused() or error.args[0], topic, setting) from error
        except TimeoutError as error:
            raise RetryableError(f"Kafka at {self._bootstrap} did not answer in time") from error

    def _refused(self) -> KafkaError | None:
        """Return what the brokers refused, which a question that is not answered does not tell."""
        self._admin.poll(0)
        self._errors.check()
        return self._errors.refusal()

    def translated(
        self, error: KafkaError, topic: str, setting: str = _READ
    ) -> RetryableError | FatalError:
        """Return the error to raise for what a broker or the client said."""
        code = error.code()
        if is_fatal(error):
            return translate_fatal(error)
        if is_access_denied(error):
            about = f" {topic}" if code == KafkaError.TOPIC_AUTHORIZATION_FAILED else ""
            return FatalError(
                f"Kafka at {self._bootstrap}: this client {ACCESS_DENIED[code]}{about}: "
                f"{_REMEDY.get(code, _CHECK_PROPERTIES)}"
            )
        if code in _ABSENT:
            return FatalError(
                f"Kafka at {self._bootstrap} has no topic {topic}: create it, or name the right "
                f"one in {setting}"
            )
        hint = _UNREACHABLE if code in _NO_CONNECTION else ""
        if code == KafkaError._AUTHENTICATION:
            hint = f": the connection ended while logging in; if that goes on, {_CHECK_PROPERTIES}"
        return RetryableError(
            f"Kafka at {self._bootstrap} gives no good answer ({error.name()}){hint}"
        )
