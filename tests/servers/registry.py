"""A schema registry as Confluent's clients expect it: Apicurio, fetched with Maven."""

import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.cache import cached
from tests.servers.java import copy_archive, java
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.shared import SharedFolder, shared_server

VERSION = "3.0.9"

_PURPOSE = "a real schema registry"
_READY_SECONDS = 120


def registry_jars() -> Path:
    """The unpacked registry, fetched if it is missing; raises ServerUnavailableError."""
    java(_PURPOSE)
    return cached(f"apicurio-{VERSION}", _unpack)


def _unpack(folder: Path) -> None:
    name = "apicurio-registry-app"
    copy_archive(f"io.apicurio:{name}:{VERSION}:tar.gz:all", folder, _PURPOSE)
    archive = folder / f"{name}-{VERSION}-all.tar.gz"
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()


class SchemaRegistry:
    """The registry with its schemas in ``folder``. Started again, it has the same port and ids."""

    def __init__(self, jars: Path, folder: Path, keeper: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        address, port = "127.0.0.1", free_port()
        self.url = f"http://{address}:{port}/apis/ccompat/v7"
        options = {
            "quarkus.http.host": address,
            "quarkus.http.port": str(port),
            "quarkus.log.level": "WARN",
            "apicurio.datasource.url": f"jdbc:h2:file:{folder / 'schemas'}",
        }
        light = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        program = ["-jar", str(jars / f"apicurio-registry-app-{VERSION}-runner.jar")]
        settings = [f"-D{name}={value}" for name, value in options.items()]
        self._child = ChildProcess(
            [java(_PURPOSE), *light, *settings, *program],
            out=folder / "registry.log",
            cwd=folder,
            keeper=keeper,
        )

    def start(self) -> "SchemaRegistry":
        """Start it and wait until it answers."""
        self._child.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self.answers():
            if not self._child.alive or time.monotonic() > deadline:
                raise AssertionError(f"the registry does not answer\n{self._child.tail()}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def restart(self) -> None:
        """Start it again, on the same port with the same schemas. Stops it first if it runs."""
        if self._child.alive:
            self.stop()
        self.start()

    def answers(self) -> bool:
        """Whether it lists its subjects."""
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as reply:  # noqa: S310
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class SharedRegistry(NamedTuple):
    """A registry that the other test processes of a run use too."""

    url: str


@contextmanager
def shared_registry(jars: Path, run: Path) -> Iterator[SharedRegistry]:
    """The registry of the run with the temporary folder ``run``."""

    def start(folder: SharedFolder) -> tuple[str, object]:
        server = SchemaRegistry(jars, folder.path, folder.keeper).start()
        return server.url, server

    with shared_server(run / "registry", start) as url:
        yield SharedRegistry(url)
