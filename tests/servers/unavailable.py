"""The one way in which a server says that this machine cannot have it, and why."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

FETCH_SECONDS = 1800


class ServerUnavailableError(Exception):
    """This machine cannot have the server. The message is one line that names what is missing."""


def need_program(name: str, purpose: str) -> str:
    """Path of a program on ``PATH``; raises ServerUnavailableError where there is none."""
    found = shutil.which(name)
    if found is None:
        raise ServerUnavailableError(f"{purpose} needs `{name}`, which is not installed")
    return found


def fetch(command: Sequence[str], purpose: str, *, env: dict[str, str] | None = None) -> str:
    """Run a command that fetches or builds something, and return what it writes.

    Raises ServerUnavailableError if it fails.
    """
    try:
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ServerUnavailableError(f"{purpose}: not fetched in {FETCH_SECONDS} s") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        why = next((line for line in said if "ERROR" in line or "error" in line), "no reason given")
        program = Path(command[0]).name
        raise ServerUnavailableError(f"{purpose}: `{program}` could not fetch it: {why.strip()}")
    return done.stdout
