"""Kills what the test process started, when the test process itself is gone.

A small process of its own holds the other end of a pipe. While the tests run, it is told the
process groups that live. When the pipe closes, however the tests ended (SIGKILL too), it kills
those groups. Unlike PR_SET_PDEATHSIG this reaches grandchildren, does not depend on the thread that
started a server, and works on macOS.
"""

import atexit
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO


class Reaper:
    """The test process's end of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        atexit.register(self.close)

    def watch(self, group: int) -> None:
        """Kill this process group when the test process is gone."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """The group has ended: its number may come to mean somebody else."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """Kill all that is still watched."""
        self._pipe.close()
        self._process.wait()

    @property
    def _pipe(self) -> IO[str]:
        if self._process.stdin is None:
            raise RuntimeError("the reaper has no pipe")
        return self._process.stdin

    def _tell(self, line: str) -> None:
        print(line, file=self._pipe, flush=True)


@functools.cache
def reaper() -> Reaper:
    """The one reaper of this process, started when it is first needed."""
    return Reaper()


def kill_group(group: int) -> None:
    """SIGKILL to every process of a group; it is fine if none is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def reap(lines: Iterable[str]) -> None:
    """Follow the orders ``+group`` and ``-group`` to their end, then kill what remains."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        (groups.add if line.startswith("+") else groups.discard)(group)
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    reap(sys.stdin)
