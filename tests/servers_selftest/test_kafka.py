"""The broker of the tests is a real one."""

import pytest
from confluent_kafka import Consumer

from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import produce, produce_transaction


def consume(kafka: Kafka, topic: str, until: int) -> list[tuple[int, bytes | None]]:
    """Offset and value of what a read_committed consumer sees of partition 0."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": unique("test"),
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    seen: list[tuple[int, bytes | None]] = []
    try:
        while not seen or seen[-1][0] < until:
            message = consumer.poll(30)
            assert message is not None, f"only {seen}"
            assert message.error() is None
            offset = message.offset()
            assert offset is not None
            seen.append((offset, message.value()))
    finally:
        consumer.close()
    return seen


def test_an_aborted_transaction_leaves_a_hole_in_the_offsets(kafka: Kafka) -> None:
    """Aborted records and markers take offsets that a consumer never sees."""
    topic = kafka.new_topic("transactions")
    produce(kafka.bootstrap, topic, [(None, b"plain")])
    aborted = produce_transaction(kafka.bootstrap, topic, [(None, b"x")] * 2, commit=False)
    kept = produce_transaction(kafka.bootstrap, topic, [(None, b"kept")], commit=True)
    assert [place.offset for place in aborted] == [1, 2]
    assert consume(kafka, topic, kept[0].offset) == [(0, b"plain"), (4, b"kept")]


def test_deleted_records_raise_the_first_offset(kafka: Kafka) -> None:
    """Retention can be had on demand."""
    topic = kafka.new_topic("retention")
    produce(kafka.bootstrap, topic, [(None, b"x")] * 10)
    assert kafka.delete_records(topic, 0, 7) == 7
    assert kafka.watermarks(topic) == {0: (7, 10)}


def test_a_topic_made_again_is_another_incarnation(kafka: Kafka) -> None:
    """The name and the offsets start again, the id does not."""
    topic = kafka.new_topic("incarnation", partitions=3)
    first = kafka.topic_id(topic)
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    assert kafka.topic_id(topic) != first
    assert kafka.watermarks(topic) == {0: (0, 0)}


@pytest.mark.chaos
def test_a_killed_broker_comes_back_with_its_records(own_kafka: Kafka) -> None:
    """SIGKILL and a start again: same address, same cluster, same records, same topic."""
    topic = own_kafka.new_topic("kept", partitions=2)
    places = produce(own_kafka.bootstrap, topic, [(b"%d" % n, b"v") for n in range(50)])
    before = own_kafka.cluster_id(), own_kafka.topic_id(topic), own_kafka.watermarks(topic)
    own_kafka.kill()
    assert not own_kafka.answers()
    own_kafka.restart()
    assert (own_kafka.cluster_id(), own_kafka.topic_id(topic)) == before[:2]
    assert own_kafka.watermarks(topic) == before[2]
    assert len(set(places)) == 50
