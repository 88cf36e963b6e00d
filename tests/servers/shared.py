"""One server for all test processes of a run.

The first process that needs the server starts it, under a lock; the others read its address. Each
user holds a shared lock on one file until it ends, and the keeper (`tests.servers.keeper`), which
is the server's parent, kills the server when the last user has gone.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.servers.keeper import kept_command


class SharedFolder(NamedTuple):
    """Where the processes of a run find a server that they share; its files are there too."""

    path: Path

    @property
    def users(self) -> Path:
        """The file on which each user holds a shared lock."""
        return self.path / "users"

    @property
    def address(self) -> Path:
        """The file with the server's address, there while the server runs."""
        return self.path / "address"

    @property
    def keeper(self) -> tuple[str, ...]:
        """What goes before the server's command."""
        return kept_command(self.users, self.address)


StartShared = Callable[[SharedFolder], tuple[str, object]]
"""Starts a server under its keeper, and gives its address and the object that started it."""


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all test processes of this run have in common."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def shared_server(path: Path, start: StartShared) -> Iterator[str]:
    """The address of the server with its files in ``path``, started if it does not run."""
    path.mkdir(exist_ok=True)
    folder = SharedFolder(path)
    with _locked(folder.users, fcntl.LOCK_SH):
        starter = _start_once(folder, start)
        yield folder.address.read_text()
        del starter


def _start_once(folder: SharedFolder, start: StartShared) -> object:
    """Start the server unless it runs; give what started it, to be held."""
    with _locked(folder.path / "start", fcntl.LOCK_EX):
        if folder.address.exists():
            return None
        address, starter = start(folder)
        folder.address.write_text(address)
        return starter


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, how)
        yield
