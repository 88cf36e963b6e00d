"""An S3 server as a process: versitygw over a folder, built once with Go."""

import errno
import os
import tempfile
from pathlib import Path

from tests.servers.cache import cached
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.unavailable import fetch, need_program

VERSION = "v1.8.0"
ACCESS_KEY, SECRET_KEY, REGION = "goldpan-test", "goldpan-test-secret", "us-east-1"

_MODULE = "github.com/versity/versitygw/cmd/versitygw"
_PURPOSE = "a real S3 server"


def versitygw_binary() -> Path:
    """The program, built if it is missing; raises ServerUnavailableError."""
    return cached(f"versitygw-{VERSION}", _build) / "versitygw"


def _build(folder: Path) -> None:
    command = [need_program("go", _PURPOSE), "install", "-ldflags=-s -w", f"{_MODULE}@{VERSION}"]
    fetch(command, _PURPOSE, env={**os.environ, "GOBIN": str(folder)})


class VersityGateway:
    """The server with its objects in ``folder``. Started again, it has the same port."""

    access_key, secret_key, region = ACCESS_KEY, SECRET_KEY, REGION

    def __init__(self, binary: Path, folder: Path) -> None:
        objects, versions, attributes = (folder / n for n in ("objects", "versions", "attributes"))
        objects.mkdir(parents=True, exist_ok=True)
        versions.mkdir(exist_ok=True)
        store = ["posix", "--versioning-dir", str(versions)]
        if not _has_extended_attributes(objects):
            attributes.mkdir(exist_ok=True)
            store += ["--sidecar", str(attributes)]
        address = f"127.0.0.1:{free_port()}"
        self.endpoint = f"http://{address}"
        listen = ["--quiet", "--port", address, "--region", REGION]
        self._child = ChildProcess(
            [str(binary), *listen, *store, str(objects)],
            out=folder / "versitygw.log",
            env={"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child.alive

    def start(self) -> None:
        """Start it, without waiting until it answers."""
        self._child.start()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def tail(self) -> str:
        """The end of its log."""
        return self._child.tail()


def _has_extended_attributes(folder: Path) -> bool:
    if not hasattr(os, "setxattr"):  # macOS has them, but Python offers no call
        return True
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        try:
            os.setxattr(probe.name, "user.goldpan", b"1")
        except OSError as error:
            if error.errno in (errno.ENOTSUP, errno.EPERM, errno.EACCES):
                return False
            raise
    return True
