"""Topics with transactions, and with holes: what holds no record is told from what is lost."""

import re
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tests.faults.scene import Scene
from tests.faults.traffic import traces
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.ports import free_port
from tests.servers.topic_io import Coordinate, produce, produce_transaction
from tests.servers.worker import Worker

SECONDS = 60.0


class Transactions:
    """Writes traces to a scene in transactions, and remembers what was aborted."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.aborted: list[Coordinate] = []
        self._next = 10_000

    def run(self, count: int, *, commit: bool) -> None:
        """Write ``count`` traces and end the transaction."""
        records = traces(self._next, count)
        self._next += count
        topic = self.scene.traces_topic
        done = produce_transaction(self.scene.kafka.bootstrap, topic, records, commit=commit)
        (self.scene.traces if commit else self.aborted).extend(done)

    def assert_accounted_for(self) -> None:
        """What was aborted is nowhere; every offset is a record or is counted as skipped."""
        witness, topic = self.scene.witness, self.scene.traces_topic
        for table in ("traces", "quarantine"):
            assert not set(self.aborted) & set(witness.places(table, topic))
        ends = {p: high for p, (_, high) in self.scene.kafka.watermarks(topic).items()}
        assert {p: witness.position("traces", topic, p) for p in ends} == ends
        offsets = sum(ends.values())
        assert witness.skipped(topic) == offsets - len(self.scene.traces)


@pytest.fixture
def transactions(scene: Scene) -> Transactions:
    """Transactions on a scene's topic of traces."""
    return Transactions(scene)


def gauge(name: str, topic: str, port: int) -> dict[int, float]:
    """A gauge of each partition of a topic, as the worker tells it."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    pattern = rf'^{name}{{partition="(\d+)",topic="{topic}"}} (\S+)$'
    return {int(p): float(value) for p, value in re.findall(pattern, text, re.MULTILINE)}


def wait_for_no_lag(worker: Worker, scene: Scene, port: int) -> None:
    """Wait until the worker says that it is at the end of each partition, with nothing behind."""
    topic = scene.traces_topic
    ends = {p: high for p, (_, high) in scene.kafka.watermarks(topic).items()}

    def there() -> bool:
        at_end = gauge("goldpan_position", topic, port) == ends
        return at_end and set(gauge("goldpan_lag_records", topic, port).values()) == {0.0}

    worker.wait_until(there, what=f"at {ends} without lag")


def test_commits_and_aborts_interleaved(scene: Scene, transactions: Transactions) -> None:
    """Aborted records are nowhere, also at the end of a topic; the worker finds that end."""
    for commit in (True, False, True, True, False, False):
        transactions.run(20, commit=commit)
        scene.produce(5)
    transactions.run(30, commit=False)
    assert scene.catch_up().logs("caught_up")
    transactions.assert_accounted_for()
    scene.assert_exactly_once()


def test_lag_returns_to_nothing(scene: Scene, transactions: Transactions) -> None:
    """A marker, or aborted records, at the end of a topic are not told as lag for ever."""
    port = free_port()
    worker = scene.start(metrics__port=port)
    scene.produce(10)
    for commit in (True, False):
        transactions.run(20, commit=commit)
        worker.wait_until(scene.all_in, what="done")
        wait_for_no_lag(worker, scene, port)
    worker.sigterm()
    worker.finish()
    transactions.assert_accounted_for()
    scene.assert_exactly_once()


def test_nothing_but_aborted_records(scene: Scene, transactions: Transactions) -> None:
    """A topic of which everything was aborted: all offsets are passed, and none holds a record."""
    transactions.run(40, commit=False)
    scene.catch_up()
    transactions.assert_accounted_for()
    assert scene.witness.position("traces", scene.traces_topic, 0)
    scene.assert_exactly_once()


def test_a_transaction_that_is_still_open(scene: Scene) -> None:
    """Records behind an open transaction are not read before it ends, and not passed over."""
    before = traces(0, 10)
    producer = Producer(
        {
            "bootstrap.servers": scene.kafka.bootstrap,
            "transactional.id": unique("open"),
            "transaction.timeout.ms": 600_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    opened: list[Coordinate] = []

    def delivered(_error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        opened.append(Coordinate(partition, offset))

    for record in before:
        producer.produce(
            scene.traces_topic,
            record.value,
            record.key,
            partition=0,
            on_delivery=delivered,
        )
    producer.flush(SECONDS)
    assert len(opened) == len(before)
    scene.produce(50)
    scene.catch_up()
    witness = scene.witness
    assert not witness.position("traces", scene.traces_topic, 0)
    producer.commit_transaction(SECONDS)
    scene.traces += opened
    scene.catch_up()
    scene.assert_exactly_once()


COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
}


def still_there(kafka: Kafka, topic: str) -> list[Coordinate]:
    """What a consumer gets of partition 0."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": unique("looks"),
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Coordinate] = []
    while True:
        message = consumer.poll(SECONDS)
        assert message is not None, "no answer"
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            consumer.close()
            return found
        found.append(Coordinate(0, int(message.offset() or 0)))


def compact(scene: Scene) -> None:
    """Add records with one key until compaction has taken most of them away."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        scene.traces += produce(scene.kafka.bootstrap, scene.traces_topic, traces(900, 10))
        time.sleep(0.5)
        if len(still_there(scene.kafka, scene.traces_topic)) < len(scene.traces) - 30:
            return
    raise AssertionError("the topic was not compacted")


def test_a_compacted_topic(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> None:
    """Offsets that compaction has emptied are skipped offsets; what is left is in the lake."""
    scene = Scene(kafka, tmp_path / "lake", start_worker)
    scene.traces_topic = kafka.new_topic("compacted", 1, COMPACTED)
    for _ in range(2):
        scene.traces += produce(kafka.bootstrap, scene.traces_topic, traces(0, 50))
        compact(scene)
        scene.catch_up()
    # Compaction may go on meanwhile: what was there all the time is in, what was gone is not.
    witness = scene.witness
    stored = [*witness.places("traces", scene.traces_topic).elements()]
    stored += witness.places("quarantine", scene.traces_topic).elements()
    assert set(still_there(kafka, scene.traces_topic)) <= set(stored)
    assert witness.skipped(scene.traces_topic) == len(scene.traces) - len(stored) > 0
    scene.traces = [Coordinate(*place) for place in stored]
    scene.assert_exactly_once()
