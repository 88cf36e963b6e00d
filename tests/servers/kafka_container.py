"""A Kafka node in a Docker container, for machines without Java."""

from collections.abc import Mapping
from pathlib import Path

from testcontainers.core.container import DockerContainer

from tests.servers.kafka_process import broker_properties, kafka_version
from tests.servers.ports import free_port

_INSIDE, _CONTROLLER = 9092, 9093
_CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"


class KafkaContainer:
    """The same as ``KafkaProcess``, from the project's own image.

    The port on the host is chosen beforehand, so that the address that the broker tells its clients
    stays true when the container is started again.
    """

    data: Path | None = None

    def __init__(self, properties: Mapping[str, str]) -> None:
        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._container = DockerContainer(f"apache/kafka:{kafka_version()}")
        self._container.with_bind_ports(_INSIDE, port).with_env("CLUSTER_ID", _CLUSTER_ID)
        for name, value in (_listeners(port) | broker_properties() | {**properties}).items():
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        self._made = False

    @property
    def alive(self) -> bool:
        """Whether the container runs."""
        if not self._made:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    def start(self) -> None:
        """Make the container the first time, and start it. Does not wait for the broker."""
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._made:
            self._container.get_wrapped_container().stop(timeout=30)

    def kill(self) -> None:
        """SIGKILL."""
        if self.alive:
            self._container.get_wrapped_container().kill()

    def remove(self) -> None:
        """Remove the container and its data."""
        if self._made:
            self._container.stop()
            self._made = False

    def tail(self) -> str:
        """The end of the broker's log."""
        if not self._made:
            return ""
        written: bytes = self._container.get_wrapped_container().logs(tail=40)
        return written.decode(errors="replace")


def _listeners(port: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@localhost:{_CONTROLLER}",
        "listeners": f"PLAINTEXT://:{_INSIDE},CONTROLLER://:{_CONTROLLER},INTERNAL://:9094",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},INTERNAL://localhost:9094",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": (
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT"
        ),
        "log.dirs": "/var/lib/kafka/data",
    }
