"""Runs a command for as long as any process holds a shared lock on a file.

It waits for that lock alone, which it gets when the last holder has gone, however that ended
(SIGKILL too). Then it kills the command, and removes the file that said where it runs.
"""

import fcntl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def kept_command(users: Path, address: Path) -> tuple[str, ...]:
    """What goes before a command that shall run only while a process holds ``users``."""
    return sys.executable, "-I", __file__, str(users), str(address)


def keep(users: Path, address: Path, command: Sequence[str]) -> None:
    """Run the command until nobody holds ``users``, then remove ``address``."""
    with subprocess.Popen(command) as server, users.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            address.unlink(missing_ok=True)
        finally:
            server.kill()


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
