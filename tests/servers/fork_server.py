"""Runs modules in processes that are forked from one that has loaded their libraries.

Each start of goldpan loads libraries for two seconds, eight with redaction, and the tests start
hundreds. A forked process is as real as another: it has a pid, a group, streams and a death of its
own. What is about the start itself runs without this (``anew=True``).

The server is a process with one thread, since a fork copies no other. All test processes of a run
share it: the first that can bind the run's address starts it. It answers a message for each
request, and ends when no test process is connected any more.
"""

import errno
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

_MODULE = "tests.servers.fork_server_main"
_ROOT = Path(__file__).parents[2]
_MESSAGE = 1 << 20
_START_SECONDS = 120.0
_BOUND_SECONDS = 0.05
_ALLOCATOR = "jemalloc_bg_thd"
"""Threads of jemalloc, which gives up what they do in a forked process."""


class ForkServer:
    """The test process's end of the connection."""

    def __init__(self) -> None:
        self._socket = _connect()
        self._lock = threading.Lock()
        self._socket.settimeout(_START_SECONDS)

    def fork(
        self, words: Sequence[str], out: IO[Any], err: IO[Any], env: Mapping[str, str], cwd: Path
    ) -> int:
        """Start ``python -m`` with these words in a group of its own; returns the pid."""
        request = {"words": words, "env": dict(env), "cwd": str(cwd)}
        return self._ask(request, [out.fileno(), err.fileno()])

    def reap(self, pid: int) -> int:
        """Return the exit code of a process that has ended (negative: the signal)."""
        return self._ask({"reap": pid}, [])

    def _ask(self, request: Mapping[str, Any], files: Sequence[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            answer = self._socket.recv(_MESSAGE)
        if not answer:
            raise RuntimeError("the fork server has ended")
        return int(answer)


def _connect() -> socket.socket:
    """Connect to the server of this run, which is started unless it runs."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"process-{os.getpid()}"
    address = f"\0goldpan-tests-{run}"
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(address)
        except ConnectionRefusedError:
            connection.close()
            _start(address)
        else:
            return connection


def _start(address: str) -> None:
    """Start a server that listens there, unless another process does so at this moment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(_BOUND_SECONDS)
            return
        listener.listen()
        subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
            cwd=_ROOT,
            start_new_session=True,
        )


@functools.cache
def fork_server() -> ForkServer:
    """Return this process's server; the first call starts it."""
    return ForkServer()


class ForkedProcess:
    """A process of the server, with as much of `subprocess.Popen` as the tests use."""

    def __init__(
        self, words: Sequence[str], out: IO[Any], err: IO[Any], env: Mapping[str, str], cwd: Path
    ) -> None:
        self.args = words
        self.returncode: int | None = None
        self._server = fork_server()
        self.pid = self._server.fork(words, out, err, env, cwd)
        # Open until the code is known: the number cannot come to mean another process before.
        self._handle = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises TimeoutExpired."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without asking."""
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._handle], [], [], timeout)[0]:
            self.returncode = self._server.reap(self.pid)
            os.close(self._handle)
        return self.returncode


class CapturedProcess(ForkedProcess):
    """A process whose output is kept until its end."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self._streams = TemporaryFile(), TemporaryFile()  # noqa: SIM115 - closed by `finish`
        super().__init__(words, *self._streams, env, cwd)

    def finish(self, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """Wait for the end, and return what was printed; a process in time-out is killed."""
        try:
            code = self.wait(timeout)
        finally:
            self.kill()
        return subprocess.CompletedProcess(self.args, code, *map(_text, self._streams))


def _text(stream: IO[bytes]) -> str:
    with stream:
        stream.seek(0)
        return stream.read().decode()


# In the server


def serve(
    listener: socket.socket, prepare: Callable[[Mapping[str, str]], None]
) -> Callable[[], None] | None:
    """Answer requests. Returns in each forked process what that has to become, else None.

    ``prepare`` loads what a process with such an environment will need.
    """
    users = [listener.accept()[0]]
    while users:
        for ready in select.select([listener, *users], [], [])[0]:
            if ready is listener:
                users.append(listener.accept()[0])
            elif (received := _receive(ready)) is None:
                users.remove(ready)
                ready.close()
            elif "reap" in received[0]:
                _answer(ready, os.waitstatus_to_exitcode(os.waitpid(received[0]["reap"], 0)[1]))
            else:
                request, files = received
                prepare(request["env"])
                if not (pid := _fork()):
                    for connection in (listener, *users):
                        connection.close()
                    return functools.partial(_become, request, files)
                os.setpgid(pid, pid)  # before the test sends it a signal
                for file in files:
                    os.close(file)
                _answer(ready, pid)
    return None


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return a request with its open files; None if the test process has gone."""
    try:
        message, files, _flags, _address = socket.recv_fds(connection, _MESSAGE, 2)
    except ConnectionError:
        return None
    return (json.loads(message), files) if message else None


def _answer(connection: socket.socket, number: int) -> None:
    with suppress(ConnectionError):  # who asked may have gone
        connection.send(str(number).encode())


def _fork() -> int:
    threads = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    if others := [name for name in threads if name != _ALLOCATOR][1:]:
        raise RuntimeError(f"loading libraries started {others}: a fork would be unsafe")
    return os.fork()


def _become(request: Mapping[str, Any], files: Sequence[int]) -> None:
    os.setpgid(0, 0)
    for stream, file in enumerate(files, start=1):
        os.dup2(file, stream)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["words"]
