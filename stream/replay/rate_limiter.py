"""Limits how many records a replay reads per second, on average.

The budget is a bucket of one second's records, so a pause is not made up for by a burst.
"""

from collections.abc import Callable
from dataclasses import dataclass

MAX_BATCH_SECONDS = 0.25


@dataclass(slots=True)
class RateLimiter:
    """``records_per_second`` of None means no limit; ``sleep`` waits for seconds."""

    records_per_second: float | None
    monotonic: Callable[[], float]
    sleep: Callable[[float], object]
    _left: float = 0.0
    _at: float | None = None

    def limit_batch(self, batch: int) -> int:
        """Return how many of the wanted records to read at once."""
        if self.records_per_second is None:
            return batch
        return max(1, min(batch, int(self.records_per_second * MAX_BATCH_SECONDS)))

    def took(self, records: int) -> None:
        """Record a read; wait until the rate allows that many."""
        rate = self.records_per_second
        if rate is None:
            return
        now = self.monotonic()
        earned = 0.0 if self._at is None else (now - self._at) * rate
        self._left = min(rate, self._left + earned) - records
        self._at = now
        if self._left < 0:
            self.sleep(-self._left / rate)
