"""What a user may say to Kafka's client, and what carries a promise of the worker."""

import time
from typing import Literal

import pytest
from confluent_kafka import KafkaError
from pydantic import ValidationError

from schemas.errors import FatalError, RetryableError, UsageError
from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.config import KafkaSettings
from stream.kafka_client import admin_properties, consumer_properties, make_consumer
from stream.label_driver.label_producer import LabelProducer
from stream.record_fetcher import RecordFetcher
from tests.servers.mock_kafka import MockKafka

PROMISES = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "group.id": "goldpan",
    "bootstrap.servers": "localhost:9092",
    "partition.assignment.strategy": "range",
}


@pytest.mark.parametrize("name", sorted(set(PROMISES) - {"enable.partition.eof"}))
def test_what_carries_a_promise_is_refused_in_the_settings(name: str) -> None:
    """The message names the property."""
    with pytest.raises(ValidationError, match=name):
        KafkaSettings(properties={name: "other"})


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_what_carries_a_promise_wins(name: str) -> None:
    """Even if the settings have let it pass."""
    settings = KafkaSettings().model_copy(update={"properties": {name: "other"}})
    assert consumer_properties(settings, fetch_queue=2**20)[name] == PROMISES[name]


def test_other_properties_are_the_users_own() -> None:
    """Also where the worker has a default."""
    settings = KafkaSettings(properties={"fetch.wait.max.ms": 7, "security.protocol": "ssl"})
    found = consumer_properties(settings, fetch_queue=2**20)
    assert (found["fetch.wait.max.ms"], found["security.protocol"]) == (7, "ssl")


def test_a_response_is_small_beside_the_queue() -> None:
    """It is limited as compressed, and unpacked beside the queue, which may be several times."""
    queue = 16 * 2**20
    found = consumer_properties(KafkaSettings(), fetch_queue=queue)
    assert found["fetch.max.bytes"] <= queue // 8
    assert found["fetch.message.max.bytes"] <= found["fetch.max.bytes"]
    assert found["queued.max.messages.kbytes"] * 1024 == queue


def test_a_dead_worker_is_noticed_soon() -> None:
    """By the classic protocol's property, which is the user's own; the other one refuses it."""
    name = "session.timeout.ms"
    assert consumer_properties(KafkaSettings(), fetch_queue=2**20)[name] == 10_000
    chosen = KafkaSettings(properties={name: 45_000})
    assert consumer_properties(chosen, fetch_queue=2**20)[name] == 45_000
    broker = KafkaSettings(group_protocol="consumer")
    assert name not in consumer_properties(broker, fetch_queue=2**20)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_worker_may_have_a_name_in_the_group(
    protocol: Literal["classic", "consumer"],
) -> None:
    """It is expected back under it, so the classic protocol waits longer than for others."""
    settings = KafkaSettings(group_protocol=protocol, group_instance_id="worker-0")
    found = consumer_properties(settings, fetch_queue=2**20)
    assert found["group.instance.id"] == "worker-0"
    assert found.get("session.timeout.ms") == (45_000 if protocol == "classic" else None)
    nameless = consumer_properties(KafkaSettings(group_protocol=protocol), fetch_queue=2**20)
    assert "group.instance.id" not in nameless
    assert "group.instance.id" not in admin_properties(settings)


@pytest.mark.parametrize("name", ["a", "goldpan-worker-0", "_.-", "Z" * 245])
def test_a_name_that_kafka_accepts(name: str) -> None:
    """Letters, digits and three signs, as many as leave room for a number."""
    assert KafkaSettings(group_instance_id=name).group_instance_id == name


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a b", "a/0", "ä", "a\n", "Z" * 246])
def test_a_name_that_kafka_would_refuse(name: str) -> None:
    """It is refused before any broker is asked."""
    with pytest.raises(ValidationError, match=r"must be a name of|must not begin or end"):
        KafkaSettings(group_instance_id=name)


def test_the_admin_client_is_spared_what_only_consumers_know() -> None:
    """It warns about each property that it does not know; security is for both."""
    settings = KafkaSettings(properties={"session.timeout.ms": 6000, "sasl.username": "u"})
    found = admin_properties(settings)
    assert "session.timeout.ms" not in found
    assert found["sasl.username"] == "u"


def test_the_new_protocol_assigns_on_the_brokers() -> None:
    """It refuses the property of the classic one."""
    found = consumer_properties(KafkaSettings(group_protocol="consumer"), fetch_queue=2**20)
    assert found["group.remote.assignor"] == "range"
    assert "partition.assignment.strategy" not in found


def test_a_property_that_the_client_refuses_is_told() -> None:
    """In the words of the client, with the setting it came from."""
    settings = KafkaSettings(properties={"no.such.property": "1"})
    with pytest.raises(UsageError, match=r"GOLDPAN_KAFKA__PROPERTIES.*no\.such\.property"):
        make_consumer(settings, fetch_queue=2**20, errors=ClientErrors())


@pytest.mark.parametrize("name", ["oauth_cb", "stats_cb", "throttle_cb", "logger", "on_commit"])
def test_a_part_of_a_program_is_no_text(name: str) -> None:
    """Python's client takes functions and objects under names of its own."""
    with pytest.raises(ValidationError, match=name):
        KafkaSettings(properties={name: "text"})


def test_what_the_client_cannot_use_is_told_also_if_it_is_no_error_of_kafka() -> None:
    """Python's client raises errors of other types for its own properties."""
    settings = KafkaSettings().model_copy(update={"properties": {"oauth_cb": "text"}})
    with pytest.raises(UsageError, match=r"GOLDPAN_KAFKA__PROPERTIES.*oauth_cb"):
        make_consumer(settings, fetch_queue=2**20, errors=ClientErrors())
    with pytest.raises(UsageError, match=r"GOLDPAN_KAFKA__PROPERTIES.*oauth_cb"):
        Cluster(admin_properties(settings), bootstrap_servers="b:1")
    with pytest.raises(UsageError, match=r"GOLDPAN_KAFKA__PROPERTIES.*oauth_cb"):
        LabelProducer(settings, "labels")


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, FatalError, "has no topic t: create it"),
        (KafkaError._UNKNOWN_TOPIC, FatalError, "has no topic t"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, FatalError, "not allowed to read the topic t"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, FatalError, "consumer group"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, FatalError, "credentials"),
        (KafkaError._TRANSPORT, RetryableError, "b:1 is unavailable"),
        (KafkaError._TIMED_OUT, RetryableError, "b:1 is unavailable"),
        (KafkaError.NOT_LEADER_FOR_PARTITION, RetryableError, "NOT_LEADER"),
    ],
)
def test_what_brokers_say_tells_whether_to_try_again(
    code: int, kind: type[Exception], says: str
) -> None:
    """Only what a person must mend stops the worker."""
    cluster = Cluster({"bootstrap.servers": "b:1", "log_level": 0}, bootstrap_servers="b:1")
    error = cluster.translate(KafkaError(code), "t")
    assert type(error) is kind
    assert says in str(error)


def test_a_topic_that_is_missing_is_told_with_its_own_setting(mock_kafka: MockKafka) -> None:
    """That of the labels is none of those that are read."""
    cluster = Cluster(
        {"bootstrap.servers": mock_kafka.bootstrap, "allow.auto.create.topics": False},
        bootstrap_servers=mock_kafka.bootstrap,
    )
    error = cluster.translate(KafkaError(KafkaError._UNKNOWN_TOPIC), "l", "GOLDPAN_LABELS__TOPIC")
    assert str(error).endswith("no topic l: create it, or correct GOLDPAN_LABELS__TOPIC")


def test_single_records_are_fetched_by_their_coordinates() -> None:
    """Those beyond the end are not waited for; the others come as they were written."""
    broker = MockKafka()
    values = [f"value {number}".encode() for number in range(6)]
    broker.produce("t", [(b"key", value, number % 2) for number, value in enumerate(values)])
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap)
    fetcher = RecordFetcher(settings, monotonic=time.monotonic)
    try:
        found = fetcher.fetch("t", [(0, 0), (0, 2), (1, 1), (1, 99), (3, 0)])
    finally:
        fetcher.close()
        broker.close()
    assert {where: (raw.key, raw.value) for where, raw in found.items()} == {
        (0, 0): (b"key", values[0]),
        (0, 2): (b"key", values[4]),
        (1, 1): (b"key", values[3]),
    }
