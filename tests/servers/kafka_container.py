"""A Kafka node in a Docker container, for machines without Java."""

from collections.abc import Mapping
from pathlib import Path

from tests.servers.container import RestartableContainer
from tests.servers.kafka_process import broker_properties, kafka_version, new_cluster_id

_INSIDE, _CONTROLLER, _INTERNAL = 9092, 9093, 9094


def kafka_image() -> str:
    """The project's own image, of the version that the jars have."""
    return f"apache/kafka:{kafka_version()}"


class KafkaContainer(RestartableContainer):
    """The same as ``KafkaProcess``."""

    data: Path | None = None

    def __init__(self, properties: Mapping[str, str]) -> None:
        super().__init__(kafka_image(), _INSIDE)
        self.bootstrap = f"127.0.0.1:{self.port}"
        all_properties = _listeners(self.port) | broker_properties() | {**properties}
        # The image turns KAFKA_LOG_DIRS into log.dirs.
        env = {f"KAFKA_{n.upper().replace('.', '_')}": v for n, v in all_properties.items()}
        self.configure({"CLUSTER_ID": new_cluster_id(), **env})


def _listeners(port: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@localhost:{_CONTROLLER}",
        "listeners": (
            f"PLAINTEXT://:{_INSIDE},CONTROLLER://:{_CONTROLLER},INTERNAL://:{_INTERNAL}"
        ),
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},INTERNAL://localhost:{_INTERNAL}",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": (
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT"
        ),
        "log.dirs": "/var/lib/kafka/data",
    }
