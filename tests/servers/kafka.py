"""A real Kafka broker for the tests, whichever way this machine can have it."""

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from tests.servers.cache import cached
from tests.servers.container import docker_answers, pull
from tests.servers.java import java_version
from tests.servers.kafka_container import KafkaContainer, kafka_image
from tests.servers.kafka_process import KafkaProcess, kafka_jars
from tests.servers.shared import SharedFolder, shared_server
from tests.servers.unavailable import ServerUnavailableError

_READY_SECONDS = 90
_ANSWER_SECONDS = 30
_ARCHIVE = "classes.jsa"

T = TypeVar("T")


class Node(Protocol):
    """A broker that can be started, stopped and killed. It keeps its address and its data."""

    bootstrap: str

    @property
    def data(self) -> Path | None:
        """The folder of its logs (segments), where this process can see it."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Start it, without waiting until clients can connect."""

    def stop(self) -> None:
        """Ask it to end, and wait."""

    def kill(self) -> None:
        """End it without asking."""

    def tail(self) -> str:
        """The end of its log."""


def prepare_kafka() -> Path | None:
    """Fetch what a broker needs: a folder of jars, or None where Docker will do it.

    Raises ServerUnavailableError where neither way is open.
    """
    try:
        return kafka_jars()
    except ServerUnavailableError as missing:
        if not docker_answers():
            raise ServerUnavailableError(f"{missing}; and no Docker daemon answers") from None
    pull(kafka_image(), "a real Kafka")
    return None


def make_kafka(jars: Path | None, folder: Path, properties: Mapping[str, str]) -> "Kafka":
    """A broker, not yet started. ``jars`` is what ``prepare_kafka`` gave."""
    if jars is not None:
        return Kafka(KafkaProcess(jars, folder, properties, options=shared_classes(jars)))
    return Kafka(KafkaContainer(properties))


class SharedNode:
    """A broker that the other test processes of a run use too."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.data: Path | None = None
        self.alive = True

    def start(self) -> None:
        """It runs already."""

    def stop(self) -> None:
        """Raises RuntimeError."""
        raise RuntimeError("other tests use this broker: a test that stops one takes `own_kafka`")

    def kill(self) -> None:
        """Raises RuntimeError."""
        self.stop()

    def tail(self) -> str:
        """Where its log is."""
        return "its log is kafka/kafka.log in the temporary folder of the run"


@contextmanager
def shared_kafka(jars: Path, run: Path) -> Iterator["Kafka"]:
    """The broker of the run with the temporary folder ``run``."""

    def start(folder: SharedFolder) -> tuple[str, object]:
        options = shared_classes(jars)
        broker = Kafka(KafkaProcess(jars, folder.path, {}, folder.keeper, options)).start()
        return broker.bootstrap, broker

    with shared_server(run / "kafka", start) as bootstrap:
        yield Kafka(SharedNode(bootstrap))


class Kafka:
    """A broker and the few admin calls that tests need. Every call waits for its outcome."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.bootstrap = node.bootstrap
        # One client for the life of the broker: calls in flight are cancelled with their client.
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def start(self) -> "Kafka":
        """Start it and wait until it answers."""
        self.node.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self.answers():
            if not self.node.alive or time.monotonic() > deadline:
                raise AssertionError(f"Kafka does not answer\n{self.node.tail()}")
        return self

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended."""
        self.node.stop()

    def kill(self) -> None:
        """SIGKILL. Page cache survives, so acknowledged records do too."""
        self.node.kill()

    def restart(self) -> None:
        """Start it again, on the same ports and the same data. Stops it first if it runs."""
        if self.node.alive:
            self.stop()
        self.start()

    def close(self) -> None:
        """Kill it and remove what it leaves outside its folder."""
        self.node.kill()
        if isinstance(self.node, KafkaContainer):
            self.node.remove()

    def answers(self) -> bool:
        """Whether a client can talk to it (waits up to 0.5 s)."""
        try:
            return bool(self._admin.list_topics(timeout=0.5).brokers)
        except KafkaException:
            return False

    def cluster_id(self) -> str:
        """The id that the cluster was formatted with."""
        return str(self._wait(self._admin.describe_cluster()).cluster_id)

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> str:
        """Make a topic, wait until every partition has a leader, and give its name."""
        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
        self._wait(self._admin.create_topics([topic])[name])
        self._until(lambda: self.partitions(name) == partitions, f"topic {name} with its leaders")
        return name

    def new_topic(
        self, prefix: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> str:
        """Make a topic with a name that no other test has, and give the name."""
        return self.create_topic(unique(prefix), partitions, config)

    def add_partitions(self, topic: str, total: int) -> None:
        """Grow a topic to ``total`` partitions."""
        self._wait(self._admin.create_partitions([NewPartitions(topic, total)])[topic])
        self._until(lambda: self.partitions(topic) == total, f"{total} partitions of {topic}")

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until the name is free again."""
        self._wait(self._admin.delete_topics([name])[name])
        self._until(lambda: self.partitions(name) == 0, f"the end of topic {name}")

    def delete_records(self, topic: str, partition: int, before: int) -> int:
        """Raise the log start offset, as retention does. Gives the first offset that is left."""
        wanted = TopicPartition(topic, partition, before)
        done = self._wait(self._admin.delete_records([wanted])[wanted])
        return int(done.low_watermark)

    def partitions(self, topic: str) -> int:
        """How many partitions have a leader; 0 if there is no such topic."""
        found = self._admin.list_topics(timeout=_ANSWER_SECONDS).topics.get(topic)
        if found is None or found.error is not None:
            return 0
        return sum(1 for partition in found.partitions.values() if partition.leader >= 0)

    def topic_id(self, topic: str) -> str:
        """The id of this incarnation of a topic."""
        futures = self._admin.describe_topics(TopicCollection([topic]))
        return str(self._wait(futures[topic]).topic_id)

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """First offset and the offset after the last, of each partition."""
        low = self._offsets(topic, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        high = self._offsets(topic, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {partition: (low[partition], high[partition]) for partition in low}

    def _offsets(self, topic: str, spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, n): spec for n in range(self.partitions(topic))}
        futures = self._admin.list_offsets(asked)
        return {where.partition: int(self._wait(f).offset) for where, f in futures.items()}

    def _wait(self, future: "Future[T]") -> T:
        return future.result(_ANSWER_SECONDS)

    def _until(self, holds: Any, what: str) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"Kafka did not show {what}\n{self.node.tail()}")
            time.sleep(0.05)


def unique(prefix: str) -> str:
    """A name that no other test has: for topics and groups on a shared broker."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@cache
def shared_classes(jars: Path) -> Sequence[str]:
    """Return the options by which Java takes Kafka's classes from an archive.

    So a start takes half the time. The archive is made once, by a broker that starts and ends.
    """
    name = f"{jars.name}-classes-{sha256(java_version().encode()).hexdigest()[:12]}"
    return [f"-XX:SharedArchiveFile={cached(name, partial(_archive_classes, jars)) / _ARCHIVE}"]


def _archive_classes(jars: Path, folder: Path) -> None:
    place = folder / "node"
    option = f"-XX:ArchiveClassesAtExit={folder / _ARCHIVE}"
    broker = Kafka(KafkaProcess(jars, place, {}, options=[option]))
    try:
        broker.start()
    finally:
        broker.stop()
        shutil.rmtree(place)
