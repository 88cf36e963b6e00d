"""An S3 server in a Docker container, for machines without Go."""

from testcontainers.core.container import DockerContainer

from tests.servers.ports import free_port

_IMAGE = "minio/minio:RELEASE.2025-04-22T22-12-26Z"


class MinioContainer:
    """The same as ``VersityGateway``, from MinIO. The port on the host is chosen beforehand."""

    access_key, secret_key, region = "goldpan-test", "goldpan-test-secret", "us-east-1"

    def __init__(self) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self._container = DockerContainer(_IMAGE).with_bind_ports(9000, port)
        self._container.with_env("MINIO_ROOT_USER", self.access_key)
        self._container.with_env("MINIO_ROOT_PASSWORD", self.secret_key)
        self._container.with_command("server /data")
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
        """Remove the container and its objects."""
        if self._made:
            self._container.stop()
            self._made = False

    def tail(self) -> str:
        """The end of its log."""
        if not self._made:
            return ""
        written: bytes = self._container.get_wrapped_container().logs(tail=40)
        return written.decode(errors="replace")
