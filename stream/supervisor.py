"""Several workers on one machine: one process each, started anew when it dies.

Processes, not threads: one Python process uses one core. They are started as commands of their
own, never forked, since neither delta-rs nor Kafka's client survives a fork.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stream.events import Log

RESTARTS = 5
RESTARTS_SECONDS = 600.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Child:
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
    """

    children: Sequence[Child]
    stop_requested: Callable[[], bool]
    log: Log
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
                return 3
        return 0

    def _restart(self, number: int, signal_number: int) -> bool:
        now = self.monotonic()
        self._deaths = [t for t in self._deaths if now - t < RESTARTS_SECONDS] + [now]
        if len(self._deaths) > RESTARTS:
            self.log.error(
                "worker_failed",
                detail=f"workers were killed {len(self._deaths)} times in {RESTARTS_SECONDS:g} s, "
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
        codes = [0]
        for process in self._running.values():
            try:
                codes.append(process.wait(max(0.1, deadline - self.monotonic())))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        return max(codes)
