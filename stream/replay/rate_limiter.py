"""How fast a replay may go: not more than so many records a second, on average.

The budget is a bucket that holds one second's records, so a pause is not made up for by a burst.
"""

from collections.abc import Callable
from dataclasses import dataclass

MAX_BATCH_SECONDS = 0.25


@dataclass(slots=True)
class RateLimiter:
    """``records_per_second`` None is as fast as it goes; ``sleep`` waits that many seconds."""

    records_per_second: float | None
    monotonic: Callable[[], float]
    sleep: Callable[[float], object]
    _left: float = 0.0
    _at: float | None = None

    def most(self, wanted: int) -> int:
        """Return how many of the wanted records to take at once."""
        if self.records_per_second is None:
            return wanted
        return max(1, min(wanted, int(self.records_per_second * MAX_BATCH_SECONDS)))

    def took(self, records: int) -> None:
        """Take note of records that were read; wait until that many may have been."""
        rate = self.records_per_second
        if rate is None:
            return
        now = self.monotonic()
        earned = 0.0 if self._at is None else (now - self._at) * rate
        self._left = min(rate, self._left + earned) - records
        self._at = now
        if self._left < 0:
            self.sleep(-self._left / rate)
