"""A Spark Connect server with Delta Lake, and the packages of its client."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection
from typing import Final, NamedTuple

from tests.servers.cache import cached
from tests.servers.java import copy_dependencies, java
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.shared import SharedFolder, shared_server
from tests.servers.unavailable import fetch

PURPOSE: Final = "Spark Connect"
TOKEN: Final = "the-token-of-the-tests"
"""What each server wants to be told. The client sends it without TLS to localhost alone."""

_HERE = Path(__file__).parent
_LOCK = Path(__file__).parents[3] / "requirements" / "spark.lock"
_READY_SECONDS = 120
_OPEN = (
    *("lang", "lang.invoke", "io", "net", "nio", "util", "util.concurrent"),
    "util.concurrent.atomic",
)
_OPENED = (*(f"java.base/java.{name}" for name in _OPEN), "java.base/sun.nio.ch")
_LIGHT = ("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ActiveProcessorCount=1")


class SparkParts(NamedTuple):
    """Folders: the jars of the server, and the packages of its client."""

    jars: Path
    client: Path

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """An environment in which Python finds the client, after all other packages."""
        paths = (env.get("PYTHONPATH", ""), str(self.client))
        return {**env, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def prepare_spark() -> SparkParts:
    """The folders, filled if they are missing; raises ServerUnavailableError."""
    java(PURPOSE)
    pom = _HERE / "pom.xml"
    jars = cached(f"spark-{_digest(pom)}", lambda folder: copy_dependencies(pom, folder, PURPOSE))
    version = sys.version_info.minor
    return SparkParts(jars, cached(f"spark-client-{_digest(_LOCK)}-py{version}", _install))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def _install(folder: Path) -> None:
    # The client is published as source only; what builds it is in the environment of the tests.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    exact = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    source = ("--no-binary", "pyspark-client", "--no-build-isolation")
    fetch([*pip, *exact, *source, "--target", str(folder), "--requirement", str(_LOCK)], PURPOSE)


class SparkServer:
    """A server of one core with its files in ``folder``. Started again, it has the same port.

    Its defaults are others than a client needs, which sets them. ``settings`` are Spark's own.
    """

    def __init__(
        self,
        jars: Path,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        keeper: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        self.url = f"sc://localhost:{self._port}"
        options = {
            "spark.app.name": "tests",
            "spark.master": "local[1]",
            "spark.ui.enabled": "false",
            "spark.log.level": "WARN",
            "spark.local.dir": str(folder),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self._port),
            "spark.connect.authenticate.token": TOKEN,
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.session.timeZone": "America/Los_Angeles",
            "spark.sql.ansi.enabled": "false",
            "spark.sql.files.ignoreMissingFiles": "true",
            # Compiling each query costs more than to run it over a few rows.
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.databricks.delta.snapshotPartitions": "2",
            **(settings or {}),
        }
        opened = [f"--add-opens={name}=ALL-UNNAMED" for name in _OPENED]
        given = [f"-D{name}={value}" for name, value in options.items()]
        program = ["-cp", f"{jars}/*", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        self._child = ChildProcess(
            [java(PURPOSE), *_LIGHT, *opened, "-Duser.timezone=Asia/Tokyo", *given, *program],
            out=folder / "spark.log",
            cwd=folder,
            keeper=keeper,
        )

    def start(self) -> "SparkServer":
        """Start it and wait until it accepts connections."""
        self._child.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self._accepts():
            if not self._child.alive or time.monotonic() > deadline:
                raise AssertionError(f"Spark does not answer\n{self._child.tail()}")
            time.sleep(0.1)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def log(self) -> str:
        """The end of what it has logged."""
        return self._child.tail()

    def _accepts(self) -> bool:
        with suppress(OSError), create_connection(("127.0.0.1", self._port), timeout=2):
            return True
        return False


class SharedSpark(NamedTuple):
    """A server that the other test processes of a run use too, and how to reach it."""

    url: str
    token_file: Path
    parts: SparkParts


@contextmanager
def shared_spark(parts: SparkParts, run: Path) -> Iterator[SharedSpark]:
    """The server of the run with the temporary folder ``run``."""

    def start(folder: SharedFolder) -> tuple[str, object]:
        server = SparkServer(parts.jars, folder.path, keeper=folder.keeper).start()
        return server.url, server

    with shared_server(run / "spark", start) as url:
        yield SharedSpark(url, write_token(run / "spark"), parts)


def write_token(folder: Path) -> Path:
    """Write the token into a file and return its path."""
    file = folder / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    return file
