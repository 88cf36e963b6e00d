"""Runs modules in processes that are forked from one that has loaded their libraries.

Each start of goldpan loads libraries for two seconds, eight with redaction, and the tests start
hundreds. A forked process is as real as another: it has a pid, a group, streams and a death of its
own. What is about the start itself runs without this (``anew=True``).

The server is a process with one thread, since a fork copies no other. It answers on a socket pair,
a message for each request, and ends when the test process has gone.
"""

import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

_MODULE = "tests.servers.fork_server_main"
_ROOT = Path(__file__).parents[2]
_MESSAGE = 1 << 20
_START_SECONDS = 120.0
_ALLOCATOR = "jemalloc_bg_thd"
"""Threads of jemalloc, which gives up what they do in a forked process."""


class ForkServer:
    """The test process's end of the socket."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
                cwd=_ROOT,
                start_new_session=True,
            )
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
            raise RuntimeError(f"the fork server ended with {self._process.poll()}")
        return int(answer)


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
    connection: socket.socket, prepare: Callable[[Mapping[str, str]], None]
) -> Callable[[], None] | None:
    """Answer requests. Returns in each forked process what that has to become, else None.

    ``prepare`` loads what a process with such an environment will need.
    """
    while True:
        message, files, _flags, _address = socket.recv_fds(connection, _MESSAGE, 2)
        if not message:
            return None
        request = json.loads(message)
        if "reap" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["reap"], 0)[1])
        else:
            prepare(request["env"])
            answer = _fork()
            if not answer:
                connection.close()
                return functools.partial(_become, request, files)
            os.setpgid(answer, answer)  # before the test sends it a signal
            for file in files:
                os.close(file)
        connection.send(str(answer).encode())


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
