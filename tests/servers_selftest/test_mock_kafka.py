"""The mock cluster is reachable as a broker is."""

from tests.servers.mock_kafka import MockKafka
from tests.servers.topic_io import Record


def test_records_are_where_produce_says(mock_kafka: MockKafka) -> None:
    """Explicit partitions are kept and offsets count up."""
    records = [Record(b"k", b"v", partition=2), Record(None, None, partition=2, timestamp_ms=5)]
    assert mock_kafka.produce("topic", records) == [(2, 0), (2, 1)]
