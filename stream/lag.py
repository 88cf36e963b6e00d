"""Computes lag in records and in seconds."""

from dataclasses import dataclass

from stream.owned_partition import OwnedPartition


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """What Kafka has and the lake lacks: the number of records, and the age of the oldest."""

    records: int
    seconds: float


def compute_lag(owned: OwnedPartition, *, high: int, now_ms: int, committed: int) -> PartitionLag:
    """Return the lag of a partition.

    ``high`` is the offset after the topic's last record, ``committed`` the table's position. The
    age is that of the oldest buffered record. With an empty buffer it is that of the last record
    read, an upper bound for the next record's age.
    """
    records = max(0, high - committed)
    if owned.at_end and committed >= owned.range.next:
        # The offsets up to ``high`` hold no readable record: markers, or an open transaction.
        records = 0
    if records == 0:
        return PartitionLag(0, 0.0)
    stamp = owned.oldest_open_ms if owned.oldest_open_ms is not None else owned.newest_read_ms
    has_time = stamp is not None and stamp >= 0
    return PartitionLag(
        records, max(0.0, (now_ms - stamp) / 1000) if has_time and stamp is not None else 0.0
    )
