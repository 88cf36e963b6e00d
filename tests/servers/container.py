"""A Docker container that keeps its port and its data when it is stopped, killed and started again.

The port on the host is chosen beforehand: what a server tells its clients about its address must
stay true, and Docker gives another port at each start unless it is told one.
"""

from collections.abc import Mapping

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from tests.servers.ports import free_port
from tests.servers.unavailable import ServerUnavailableError


def docker_answers() -> bool:
    """Whether a Docker daemon answers on this machine."""
    try:
        client = docker.from_env(timeout=5)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


def pull(image: str, purpose: str) -> None:
    """Have an image on this machine; raises ServerUnavailableError if it cannot be had."""
    try:
        client = docker.from_env()
        try:
            if not client.images.list(name=image):
                client.images.pull(image)
        finally:
            client.close()
    except DockerException as error:
        raise ServerUnavailableError(
            f"{purpose}: Docker could not fetch {image} ({type(error).__name__})"
        ) from error


class RestartableContainer:
    """A container of ``image`` with the port ``inside`` reachable at ``127.0.0.1:port``."""

    def __init__(self, image: str, inside: int) -> None:
        self.port = free_port()
        self._container = DockerContainer(image).with_bind_ports(inside, self.port)
        self._made = False

    def configure(self, env: Mapping[str, str], command: str | None = None) -> None:
        """Set its environment and its command, before the first start."""
        for name, value in env.items():
            self._container.with_env(name, value)
        if command is not None:
            self._container.with_command(command)

    @property
    def alive(self) -> bool:
        """Whether the container runs."""
        if not self._made:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    def start(self) -> None:
        """Make the container the first time, and start it, without waiting until it answers."""
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
        """Kill the container and remove it with its data."""
        if self._made:
            self._container.stop()
            self._made = False

    def tail(self) -> str:
        """The end of its log."""
        if not self._made:
            return ""
        written: bytes = self._container.get_wrapped_container().logs(tail=40)
        return written.decode(errors="replace")
