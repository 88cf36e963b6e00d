"""A child process in a group of its own, output in files, that cannot outlive the tests."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.servers.fork_server import ForkedProcess
from tests.servers.reaper import kill_group, reaper


class ChildProcess:
    """A command that can be started, signalled, killed and started again.

    ``out`` and ``err`` are files that are appended to; without ``err`` both streams go to ``out``.
    With a ``keeper`` (see ``tests.servers.shared``) the command may outlive this test process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        out: Path,
        err: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        keeper: Sequence[str] = (),
    ) -> None:
        self.command = [*keeper, *command]
        self._kept = bool(keeper)
        self._out, self._err, self._env, self._cwd = out, err, env, cwd
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._watched = False

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        if self._process is None:
            raise RuntimeError(f"{self.command[0]} has not been started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether the process runs, or is stopped by a signal."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; raises RuntimeError if it runs already."""
        if self.alive:
            raise RuntimeError(f"{self.command[0]} runs already")
        with self._out.open("ab") as out, (self._err or self._out).open("ab") as err:
            self._process = self._started(out, err)
        if not self._kept:
            self._watched = True
            reaper().watch(self.pid)

    def _started(self, out: IO[Any], err: IO[Any]) -> subprocess.Popen[bytes] | ForkedProcess:
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=None if self._env is None else dict(self._env),
            cwd=self._cwd,
            start_new_session=True,
        )

    def wait(self, timeout: float) -> int:
        """Wait for the end and give the exit code; raises TimeoutError with the end of the log."""
        if self._process is None:
            raise RuntimeError(f"{self.command[0]} has not been started")
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{self.command[0]} has not ended in {timeout} s\n{self.tail()}"
            ) from None
        self._clear()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, not to its children."""
        if self._process is not None:
            self._process.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        if self.alive:
            os.killpg(self.pid, number)

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM, wait, and SIGKILL if that did not do. Gives the exit code."""
        self.send(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except TimeoutError:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL to the whole group. Gives the exit code; it is fine if it has ended before."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            kill_group(self.pid)
        code = self._process.wait()
        self._clear()
        return code

    def tail(self, characters: int = 4000) -> str:
        """The end of what it wrote, for a message about a failure."""
        path = self._err or self._out
        return path.read_text(errors="replace")[-characters:] if path.exists() else ""

    def _clear(self) -> None:
        """Kill children that outlived the process, and let go, once, of the group's number."""
        if self._watched:
            self._watched = False
            kill_group(self.pid)
            reaper().forget(self.pid)


class ForkedChild(ChildProcess):
    """As a child process; its command is the words after ``python -m``, its libraries loaded."""

    def _started(self, out: IO[Any], err: IO[Any]) -> ForkedProcess:
        env = os.environ if self._env is None else self._env
        return ForkedProcess(self.command, out, err, env, self._cwd or Path.cwd())
