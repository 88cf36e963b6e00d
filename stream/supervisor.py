"""Runs several workers on one machine, each in a process that is restarted if it dies.

Processes rather than threads, since one Python process uses one core. They are started as separate
commands, never forked: neither delta-rs nor Kafka's client survives a fork.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stream.events import EventLog

MAX_RESTARTS = 5
RESTART_WINDOW_SECONDS = 600.0
POLL_SECONDS = 0.1
EXIT_FAILED = 3  # the exit code for failures


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """The command and environment that start one worker."""

    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(slots=True)
class Supervisor:
    """Starts the workers, forwards signals, and decides what the exit of one means.

    A worker that exits with 0 is done. Any other exit code means a fault that only an operator can
    fix: the other workers are stopped, and the code is the result. A worker killed by a signal (for
    example by the kernel, for memory) is restarted after a pause that doubles, at most five times
    in ten minutes.

    When stopping, each worker must exit with 0. One that hangs longer than ``stop_seconds`` is
    killed, and any death by a signal is a failure: its records will be re-read, but the stop was
    not clean.
    """

    children: Sequence[WorkerCommand]
    stop_requested: Callable[[], bool]
    log: EventLog
    stop_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _running: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _deaths: list[float] = field(default_factory=list)

    def run(self) -> int:
        """Run until all workers are done; return the exit code."""
        for index in range(len(self.children)):
            self._start(index)
        code = 0
        try:
            while self._running and code == 0 and not self.stop_requested():
                self.sleep(POLL_SECONDS)
                code = self._check_workers()
        finally:
            stopped = self._stop_all()
        return code or stopped

    def _start(self, index: int) -> None:
        child = self.children[index]
        self._running[index] = subprocess.Popen(  # noqa: S603 - our own command
            list(child.command), env=dict(child.environment)
        )

    def _check_workers(self) -> int:
        """Return the exit code that ends everything, or 0 to continue."""
        for index, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[index]
            if code > 0:
                return code
            if code < 0 and not self._restart(index, -code):
                return EXIT_FAILED
        return 0

    def _restart(self, index: int, signal_number: int) -> bool:
        now = self.monotonic()
        self._deaths = [t for t in self._deaths if now - t < RESTART_WINDOW_SECONDS] + [now]
        if len(self._deaths) > MAX_RESTARTS:
            self.log.error(
                "worker_failed",
                detail=f"workers were killed {len(self._deaths)} times in "
                f"{RESTART_WINDOW_SECONDS:g} s, last by signal {signal_number}",
            )
            return False
        wait = 2.0 ** (len(self._deaths) - 1)
        self.log.warning("child_restarted", worker=index, signal=signal_number, wait_seconds=wait)
        self.sleep(wait)
        self._start(index)
        return True

    def _stop_all(self) -> int:
        """Stop the running workers; return the highest exit code."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = self.monotonic() + self.stop_seconds
        codes = [self._wait_for_stop(index, deadline) for index in list(self._running)]
        self._running.clear()
        return max(codes, default=0)

    def _wait_for_stop(self, index: int, deadline: float) -> int:
        """Wait for a worker to stop; return its exit code, or 3."""
        process = self._running[index]
        code = _wait_for_exit(process, max(0.1, deadline - self.monotonic()))
        if code is None:
            process.kill()
            process.wait()
            detail = f"it did not stop within {self.stop_seconds:g} s and was killed"
        elif code == -signal.SIGTERM:
            return 0  # it was still starting, without its signal handlers
        elif code < 0:
            detail = f"it was killed by signal {-code} while stopping"
        else:
            return code
        self.log.error("worker_failed", worker=index, detail=detail)
        return EXIT_FAILED


def _wait_for_exit(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    """Wait up to ``seconds`` for a process to end; return its exit code, or None."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
