"""How many records to take at once: enough to be fast, few enough to stay responsive and small."""

from dataclasses import dataclass

MIN_RECORDS, MAX_RECORDS = 16, 4000
TURN_SECONDS = 0.5


@dataclass(slots=True)
class AdaptiveBatch:
    """Keeps a turn of the loop near half a second, and a batch near ``bytes``, whatever they are.

    Redaction of one record takes microseconds or milliseconds, as its text demands; a fixed batch
    would either be slow in bulk or keep a signal, or the group, waiting. And a record has a
    kilobyte or a megabyte: a batch is held several times over, as it came, decoded, and as rows.
    """

    bytes: int
    batch: int = 4 * MIN_RECORDS

    def took(self, records: int, size: int, seconds: float) -> None:
        """Take note of how large the last batch was, in bytes, and how long it took."""
        if seconds > TURN_SECONDS:
            self.batch = max(MIN_RECORDS, self.batch // 2)
        elif records >= self.batch and seconds < TURN_SECONDS / 4:
            self.batch = min(MAX_RECORDS, self.batch * 2)
        if records and size:
            self.batch = max(1, min(self.batch, self.bytes * records // size))
