"""A watchdog that restarts work which takes too long; it never decides about a record.

The result for a record must not depend on the load of the machine: a replay must give the same
rows. The work on a text is linear in its length, and the length of a record is bounded, so no text
needs a time limit of its own. The clock only guards against an expression that hangs: the work is
stopped and restarted with more time, and if that fails too, the batch is retried.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from redact.lexical.findings import TextTimeoutError
from schemas.errors import RetryableError

T = TypeVar("T")

ATTEMPTS: Final = 3
_GROWTH: Final = 2


class StalledError(RetryableError):
    """Redaction of a text did not finish in any attempt. Nothing was changed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Redaction of one text took longer than {seconds:g} s, {ATTEMPTS} times in a row. The "
            "batch is retried; if that does not help, give the worker more CPU or raise "
            "`text_seconds` in the redaction policy"
        )


class Watchdog:
    """Runs work that checks :attr:`deadline`; ``seconds`` is the time of the first attempt."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._deadline = 0.0

    @property
    def deadline(self) -> float:
        """Return the deadline of the current attempt, on the clock."""
        return self._deadline

    def run(self, work: Callable[[], T]) -> T:
        """Return the result of ``work``, which is restarted after its deadline.

        Raises:
            StalledError: no attempt finished before its deadline.
        """
        seconds = self._seconds
        for _ in range(ATTEMPTS):
            self._deadline = self._clock() + seconds
            try:
                return work()
            except TextTimeoutError:
                seconds *= _GROWTH
        raise StalledError(seconds / _GROWTH)
