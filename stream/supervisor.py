"""Several workers on one machine: one process each, started anew when it dies.

Processes, not threads: one Python process uses one core. They are started as commands of their
own, never forked, since neither delta-rs nor Kafka's client survives a fork.
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
EXIT_FAILED = 3  # the exit code of what failed


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How to start one worker: the command and its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(slots=True)
class Supervisor:
    """Starts the workers, passes signals on, and decides what the end of one means.

    A worker that ends by itself with 0 is done. One that ends with another exit code has found
    something that only a person can mend: the others are stopped, and its code is the result. One
    that was killed (by the kernel, for memory, say) is started again, with a pause that doubles, at
    most five times in ten minutes.

    Told to stop, each worker must end with 0. One that hangs beyond ``stop_seconds`` is killed, and
    that, as any death by a signal, is a failure: what it held is read again, but not all went well.
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
        for number in range(len(self.children)):
            self._start(number)
        code = 0
        try:
            while self._running and code == 0 and not self.stop_requested():
                self.sleep(POLL_SECONDS)
                code = self._look()
        finally:
            stopped = self._stop_all()
        return code or stopped

    def _start(self, number: int) -> None:
        child = self.children[number]
        self._running[number] = subprocess.Popen(  # noqa: S603 - our own command
            list(child.command), env=dict(child.environment)
        )

    def _look(self) -> int:
        """Return the exit code that ends everything, or 0 to go on."""
        for number, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[number]
            if code > 0:
                return code
            if code < 0 and not self._restart(number, -code):
                return EXIT_FAILED
        return 0

    def _restart(self, number: int, signal_number: int) -> bool:
        now = self.monotonic()
        self._deaths = [t for t in self._deaths if now - t < RESTART_WINDOW_SECONDS] + [now]
        if len(self._deaths) > MAX_RESTARTS:
            self.log.error(
                "worker_failed",
                detail=f"workers were killed {len(self._deaths)} times in {RESTART_WINDOW_SECONDS:g} s, "
                f"last by signal {signal_number}",
            )
            return False
        wait = 2.0 ** (len(self._deaths) - 1)
        self.log.warning("child_restarted", worker=number, signal=signal_number, wait_seconds=wait)
        self.sleep(wait)
        self._start(number)
        return True

    def _stop_all(self) -> int:
        """Stop what still runs; return the highest exit code."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = self.monotonic() + self.stop_seconds
        codes = [self._stopped(number, deadline) for number in list(self._running)]
        self._running.clear()
        return max(codes, default=0)

    def _stopped(self, number: int, deadline: float) -> int:
        """Wait for the end of one that was told to stop; return its exit code, or 3."""
        process = self._running[number]
        code = _code(process, max(0.1, deadline - self.monotonic()))
        if code is None:
            process.kill()
            process.wait()
            why = f"it did not stop within {self.stop_seconds:g} s and was killed"
        elif code == -signal.SIGTERM:
            return 0  # it was just being started, and had not yet said what to do with a signal
        elif code < 0:
            why = f"it was ended by signal {-code} while stopping"
        else:
            return code
        self.log.error("worker_failed", worker=number, detail=why)
        return EXIT_FAILED


def _code(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    """Wait that long for the end of a process; return its exit code, or None."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
