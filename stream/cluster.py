"""Queries the brokers about topics: existence, incarnation, offsets.

Every query has a time limit. An unavailable broker raises RetryableError; a fault that only an
operator can fix (missing topic, no permission) raises FatalError.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
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
from stream.messages import to_partitions

REQUEST_TIMEOUT_SECONDS = 10.0
TOPIC_SETTINGS = (
    "GOLDPAN_KAFKA__TRACES_TOPIC, GOLDPAN_KAFKA__FEEDBACK_TOPIC or GOLDPAN_KAFKA__SOURCES"
)
"""The settings that name topics to read."""
_EMBEDDED = (
    "mockCluster"  # librdkafka's built-in broker, for demos: it does not support admin calls
)
_CHECK_PROPERTIES = "check GOLDPAN_KAFKA__PROPERTIES and the cluster's ACLs"
_REMEDY = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "check GOLDPAN_KAFKA__GROUP_ID and the cluster's ACLs",
}
_NO_CONNECTION = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}
_UNREACHABLE = ": check that it is running and that GOLDPAN_KAFKA__BOOTSTRAP_SERVERS is correct"
_ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}


class Cluster:
    """Queries the brokers through an admin client, and through a given consumer for offsets.

    Raises UsageError if the client rejects one of the properties.
    """

    def __init__(self, properties: Mapping[str, Any], *, bootstrap_servers: str) -> None:
        self._bootstrap = bootstrap_servers
        self.errors = ClientErrors()
        all_properties: dict[str, Any] = {**properties, "error_cb": self.errors.record}
        try:
            self._admin = AdminClient(all_properties)
        except PROPERTY_ERRORS as error:
            raise to_property_error(error) from None

    def partitions(
        self, topics: Sequence[str], setting: str = TOPIC_SETTINGS
    ) -> list[SourcePartition]:
        """Return all partitions of the topics, in order.

        Raises FatalError, naming the ``setting`` of the topics, if one does not exist or is not
        readable.
        """
        partitions: list[SourcePartition] = []
        for topic in topics:
            ask = partial(self._admin.list_topics, topic, REQUEST_TIMEOUT_SECONDS)
            metadata = self._call(topic, ask, setting)
            described = metadata.topics[topic]
            if described.error is not None:
                raise self.translate(described.error, topic, setting)
            partitions += [SourcePartition(topic, p) for p in sorted(described.partitions)]
        return partitions

    def answers(self, topic: str) -> bool:
        """Return whether a broker answers now; waits up to `REQUEST_TIMEOUT_SECONDS`."""
        try:
            self._admin.list_topics(topic, REQUEST_TIMEOUT_SECONDS)
        except KafkaException:
            return False
        return True

    def incarnation(self, topic: str) -> Incarnation:
        """Return the ids of cluster and topic; the topic id is empty if the brokers give none."""
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
        """Return the first remaining offset and the one after the last."""
        (partition,) = to_partitions([source])
        low, high = self._call(
            source.topic,
            lambda: consumer.get_watermark_offsets(partition, timeout=REQUEST_TIMEOUT_SECONDS),
        )
        return int(low), int(high)

    def _call(self, topic: str, query: Callable[[], Any], setting: str = TOPIC_SETTINGS) -> Any:
        self._take_access_error()  # an access error from before this query does not belong to it
        try:
            return query()
        except KafkaException as error:
            raise self.translate(
                self._take_access_error() or error.args[0], topic, setting
            ) from error
        except TimeoutError as error:
            raise RetryableError(f"Kafka at {self._bootstrap} did not answer in time") from error

    def _take_access_error(self) -> KafkaError | None:
        """Return the access error of the last query, which its own error does not show."""
        self._admin.poll(0)
        self.errors.check()
        return self.errors.take_access_error()

    def translate(
        self, error: KafkaError, topic: str, setting: str = TOPIC_SETTINGS
    ) -> RetryableError | FatalError:
        """Return the error to raise for an error of a broker or of the client."""
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
                f"Kafka at {self._bootstrap} has no topic {topic}: create it, or correct {setting}"
            )
        hint = _UNREACHABLE if code in _NO_CONNECTION else ""
        if code == KafkaError._AUTHENTICATION:
            hint = f": the connection closed during login; if this continues, {_CHECK_PROPERTIES}"
        return RetryableError(f"Kafka at {self._bootstrap} is unavailable ({error.name()}){hint}")
