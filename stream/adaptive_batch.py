"""Adapts the number of records per batch: large for throughput, small enough to respond."""

from dataclasses import dataclass

MIN_RECORDS, MAX_RECORDS = 16, 4000
TURN_SECONDS = 0.5


@dataclass(slots=True)
class AdaptiveBatch:
    """Keeps a turn of the loop near half a second and a batch near ``bytes``.

    Redacting a record takes microseconds or milliseconds, depending on its text. A fixed batch
    would either be slow in bulk or delay signals and the group protocol. Record sizes range from a
    kilobyte to a megabyte, and a batch is held several times over: raw, decoded and as rows.
    """

    bytes: int
    batch: int = 4 * MIN_RECORDS

    def took(self, records: int, size: int, seconds: float) -> None:
        """Adapt to the last batch: its number of records, its bytes and its duration."""
        if seconds > TURN_SECONDS:
            self.batch = max(MIN_RECORDS, self.batch // 2)
        elif records >= self.batch and seconds < TURN_SECONDS / 4:
            self.batch = min(MAX_RECORDS, self.batch * 2)
        if records and size:
            self.batch = max(1, min(self.batch, self.bytes * records // size))
