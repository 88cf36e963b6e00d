"""How far behind: in records, and in seconds, which is what people wait for."""

from dataclasses import dataclass

from stream.owned_partition import OwnedPartition


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """What Kafka has and the lake has not: how many records, and the age of the oldest."""

    records: int
    seconds: float


def compute_lag(owned: OwnedPartition, *, high: int, now_ms: int, committed: int) -> PartitionLag:
    """Return the lag of a partition.

    ``high`` is the offset after the topic's last record, ``committed`` the table's position. The
    age is that of the oldest record in the buffer; with nothing in it, that of the last record
    read, which is an upper bound of the age of the next one.
    """
    behind = max(0, high - committed)
    if owned.at_end and committed >= owned.range.next:
        # What is left up to ``high`` is no record: markers, or what a transaction still holds open.
        behind = 0
    if behind == 0:
        return PartitionLag(0, 0.0)
    stamp = owned.oldest_open_ms if owned.oldest_open_ms is not None else owned.newest_read_ms
    known = stamp is not None and stamp >= 0
    return PartitionLag(
        behind, max(0.0, (now_ms - stamp) / 1000) if known and stamp is not None else 0.0
    )
