"""Processes of the demo: the worker, with its log in a file, and other commands of goldpan."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from goldpan import child_process
from goldpan.setting_names import PREFIX
from schemas.errors import FatalError

JOB_SECONDS: Final = 120.0


def worker_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process: ours, with these settings and no others."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith(PREFIX)}
    return {**child_process.child_environment(inherited), **settings}


def run_job(settings: Mapping[str, str], *command: str) -> str:
    """Run a command of goldpan, and return what it printed. Raises FatalError if it fails."""
    done = subprocess.run(  # noqa: S603 - our own command
        child_process.child_command(*command),
        env=worker_environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=JOB_SECONDS,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise FatalError(f"goldpan {' '.join(command)} ended with {done.returncode}: {last}")
    return done.stdout


class WorkerProcess:
    """A worker that runs for a ``with`` block; ``log`` is the file of its standard error."""

    def __init__(self, environment: Mapping[str, str], log: Path, *options: str) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                child_process.child_command("stream", "run", *options),
                env=worker_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=out,
                start_new_session=True,  # Ctrl-C only reaches the demo, which then ends the worker
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raise FatalError, with the last line of the log, if the worker has exited."""
        code = self._process.poll()
        if code is not None:
            raise FatalError(f"the worker ended with {code}: {self._last_log_line()}")

    def has_logged(self, event: str) -> bool:
        """Return whether the worker has logged an event of that name."""
        return any(_event(line) == event for line in self._log.read_text().splitlines())

    def finish(self, seconds: float) -> None:
        """Wait until the worker has ended; raise FatalError if it takes longer or fails."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise FatalError(f"the worker had not caught up after {seconds:g} s") from None
        if code:
            raise FatalError(f"the worker ended with {code}: {self._last_log_line()}")

    def stop(self, seconds: float) -> None:
        """Stop the worker in order; raise FatalError if it does not stop or fails."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise FatalError(f"the worker did not stop within {seconds:g} s") from None
        if code:
            raise FatalError(f"the worker ended with {code}: {self._last_log_line()}")

    def _last_log_line(self) -> str:
        lines = self._log.read_text().splitlines()
        return lines[-1] if lines else "its log is empty"


def _event(line: str) -> str | None:
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return None
