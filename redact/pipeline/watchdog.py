"""A watchdog that restarts work which takes too long, and decides nothing about a record.

What becomes of a record must not depend on how busy the machine is: a replay has to give the same
rows. The work on a text is linear in its length, and the length of a record is bounded, so no text
needs a time limit of its own. The clock only guards against an expression that hangs: the work is
stopped, started again with more time, and if that does not help either, the batch is retried.
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
    """Redaction made no progress on a text, however much time it had. Nothing was changed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Redaction of one text took longer than {seconds:g} s, {ATTEMPTS} times in a row. The "
            "batch is retried; if that does not help, give the worker more CPU or raise "
            "`text_seconds` in the redaction policy"
        )


class Watchdog:
    """Runs work that looks at :attr:`deadline`; ``seconds`` is the time of a first attempt."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._deadline = 0.0

    @property
    def deadline(self) -> float:
        """Return until when, on the clock, the work under way may go on."""
        return self._deadline

    def run(self, work: Callable[[], T]) -> T:
        """Return the result of ``work``, which is started again when its time is over.

        Raises:
            StalledError: no attempt came to an end in its time.
        """
        seconds = self._seconds
        for _ in range(ATTEMPTS):
            self._deadline = self._clock() + seconds
            try:
                return work()
            except TextTimeoutError:
                seconds *= _GROWTH
        raise StalledError(seconds / _GROWTH)
