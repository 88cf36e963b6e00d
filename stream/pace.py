"""How many records to take at once: enough to be fast, few enough to stay responsive."""

from dataclasses import dataclass

SMALLEST, LARGEST = 16, 4000
TURN_SECONDS = 0.5


@dataclass(slots=True)
class Pace:
    """Keeps a turn of the loop near half a second, whatever a record costs.

    Redaction of one record takes microseconds or milliseconds, as its text demands; a fixed batch
    would either be slow in bulk or keep a signal, or the group, waiting.
    """

    batch: int = 500

    def took(self, records: int, seconds: float) -> None:
        """Take note of what the last batch took."""
        if seconds > TURN_SECONDS:
            self.batch = max(SMALLEST, self.batch // 2)
        elif records >= self.batch and seconds < TURN_SECONDS / 4:
            self.batch = min(LARGEST, self.batch * 2)
