"""What a replay asks of a real Kafka: offsets of times, and records without a group."""

from contextlib import closing

import pytest

from lake.ledger import SourcePartition
from schemas.errors import FatalError
from schemas.record_batches import RawRecord
from stream.config import KafkaSettings
from stream.replay.kafka_reader import KafkaReader
from stream.replay.replay_range import (
    ReplaySpan,
    make_replay_range,
    parse_bound,
    parse_days,
    resolve_spans,
)
from tests.servers.kafka import Kafka
from tests.servers.topic_io import Record, produce, produce_transaction

DAY_MS = 86_400_000
OCTOBER_MS = 1_790_812_800_000
"""2026-10-01T00:00:00Z."""


def opened(kafka: Kafka, topic: str) -> KafkaReader:
    """Return a reader of a topic; close it."""
    return KafkaReader(KafkaSettings(bootstrap_servers=kafka.bootstrap), topic, fetch_queue=2**20)


def read_to(reader: KafkaReader, ends: dict[SourcePartition, int]) -> list[RawRecord]:
    """Read until the reader is at these offsets."""
    found: list[RawRecord] = []
    left = dict(ends)
    while left:
        batch = reader.read(100)
        found += batch.raws
        for source in [s for s in left if batch.ends.get(s, 0) >= left[s]]:
            del left[source]
            reader.drop(source)
    return found


def test_times_are_those_of_the_records(kafka: Kafka) -> None:
    """A day is the offsets from its first record to the next day's first, in each partition."""
    topic = kafka.new_topic("replayed", 2, {"retention.ms": "-1"})
    for day in range(4):
        stamp = OCTOBER_MS + day * DAY_MS + 1_000
        records = [Record(None, b"{}", p, stamp) for p in (0, 0, 1) if (p, day) != (1, 2)]
        produce(kafka.bootstrap, topic, records)
    with closing(opened(kafka, topic)) as reader:
        known = reader.read_bounds(lambda sources: dict.fromkeys(sources, 7))
        assert [(k.low, k.high) for _, k in sorted(known.items())] == [(0, 8), (0, 3)]
        second = parse_days("2026-10-02")
        assert resolve_spans(second, known, reader.offset_at) == [
            ReplaySpan(0, 2, 4),
            ReplaySpan(1, 1, 2),
        ]
        third = parse_days("2026-10-03")
        assert resolve_spans(third, known, reader.offset_at) == [ReplaySpan(0, 4, 6)]
        late = make_replay_range(parse_bound("2026-10-04T00:00:01Z"), None)
        assert resolve_spans(late, known, reader.offset_at) == [
            ReplaySpan(0, 6, 7),
            ReplaySpan(1, 2, 7),
        ]


def test_records_are_read_without_a_group(kafka: Kafka) -> None:
    """From the offset that is asked for, aborted ones left out, up to the end and its markers."""
    topic = kafka.new_topic("replayed", 1)
    source = SourcePartition(topic, 0)
    produce(kafka.bootstrap, topic, [Record(None, b"%d" % i) for i in range(5)])
    produce_transaction(kafka.bootstrap, topic, [Record(None, b"no")] * 2, commit=False)
    with closing(opened(kafka, topic)) as reader:
        reader.assign({source: 2})
        found = read_to(reader, {source: 8})
        assert [raw.value for raw in found] == [b"2", b"3", b"4"]
        assert [raw.offset for raw in found] == [2, 3, 4]


def test_what_kafka_has_deleted_ends_a_replay(kafka: Kafka) -> None:
    """It is not passed over: the live rows of it would go with nothing in their place."""
    topic = kafka.new_topic("replayed", 1)
    source = SourcePartition(topic, 0)
    produce(kafka.bootstrap, topic, [Record(None, b"%d" % i) for i in range(5)])
    kafka.delete_records(topic, 0, 3)
    with closing(opened(kafka, topic)) as reader:
        assert reader.watermarks(source) == (3, 5)
        reader.assign({source: 1})
        with pytest.raises(FatalError, match="retention"):
            read_to(reader, {source: 5})
