"""A Kafka node as a Java process: broker and controller in one, made from Maven's jars."""

import re
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.cache import cached
from tests.servers.java import copy_dependencies, java
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess

_POM = Path(__file__).with_name("pom.xml")
_PURPOSE = "a real Kafka"
_LIGHT = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""The second compiler would take more time than it saves in the life of a test broker."""


def kafka_version() -> str:
    """The version of Kafka that the tests run on, as the pom says."""
    found = re.search(r"<kafka.version>(.+)</kafka.version>", _POM.read_text())
    if found is None:
        raise ValueError(f"{_POM.name} names no kafka.version")
    return found.group(1)


def kafka_jars() -> Path:
    """The folder of jars, fetched if it is missing; raises ServerUnavailableError."""
    java(_PURPOSE)
    return cached(
        f"kafka-{kafka_version()}", lambda folder: copy_dependencies(_POM, folder, _PURPOSE)
    )


class KafkaProcess:
    """A node with its data in ``folder``. Started again, it has the same ports and the same data.

    ``properties`` come on top of those below, and win; ``options`` are more options of Java.
    """

    def __init__(
        self,
        jars: Path,
        folder: Path,
        properties: Mapping[str, str],
        keeper: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "kafka.log"
        self.data = folder / "data"
        port, controller_port = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._config = folder / "server.properties"
        lines = _listeners(port, controller_port, self.data) | broker_properties() | {**properties}
        self._config.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self._java = [java(_PURPOSE), *_LIGHT, *options, "-cp", f"{jars}/*"]
        self._child = ChildProcess(
            [*self._java, "kafka.Kafka", str(self._config)], out=self.log, keeper=keeper
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child.alive

    def start(self) -> None:
        """Format the storage the first time, and start. Does not wait until clients can connect."""
        if not self.data.exists():
            self._format()
        self._child.start()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def tail(self) -> str:
        """The end of the broker's log."""
        return self._child.tail()

    def _format(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={new_cluster_id()}", "-c"]
        done = subprocess.run(
            [*self._java, *tool, str(self._config)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stderr[-2000:]}")


def new_cluster_id() -> str:
    """A random id in the form that Kafka uses."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def broker_properties() -> dict[str, str]:
    """What makes a single node usable by tests, wherever it runs.

    Session time-outs may be short, so that a test can let one pass; a broker that was killed is
    fenced soon, because it cannot register again before. Where a log starts after records were
    deleted is written down soon, so that it survives a kill. A topic is compacted soon.
    """
    return {
        "auto.create.topics.enable": "false",
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "group.consumer.heartbeat.interval.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "500",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": "6000",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.backoff.ms": "500",
        "log.flush.start.offset.checkpoint.interval.ms": "500",
        "log.retention.check.interval.ms": "1000",
        "message.max.bytes": str(16 * 1024 * 1024),
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
    }


def _listeners(port: int, controller_port: int, data: Path) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(data),
    }
