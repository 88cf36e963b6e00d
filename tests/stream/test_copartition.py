"""Whether two topics are co-partitioned is told from the trace ids that come."""

from zlib import crc32

import pytest

from schemas.record_batches import RecordKind
from stream.copartition import (
    MISPLACED_TRACES_LIMIT,
    PARTITIONERS,
    TRACE_IDS_COMPARED,
    CopartitionCheck,
    murmur2,
)

TRACE, FEEDBACK = RecordKind.TRACE, RecordKind.FEEDBACK
IDS = [f"trace-{i}" for i in range(4 * TRACE_IDS_COMPARED)]


def placed(by: str, ids: list[str], partitions: int) -> list[int]:
    """Return where a partitioner puts trace ids."""
    return [PARTITIONERS[by](one.encode()) % partitions for one in ids]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafka(key: bytes, expected: int) -> None:
    """The examples are those of Apache Kafka's own tests of `Utils.murmur2`."""
    assert murmur2(key) == expected & 0x7FFFFFFF


@pytest.mark.parametrize("other", PARTITIONERS)
@pytest.mark.parametrize("one", PARTITIONERS)
@pytest.mark.parametrize("partitions", [1, 2, 12])
def test_partitioners_are_told_apart(one: str, other: str, partitions: int) -> None:
    """Where both topics use the same all is well; with one partition nothing can be wrong."""
    check = CopartitionCheck(partitions)
    check.add(TRACE, IDS, placed(one, IDS, partitions))
    assert not check.broken
    check.add(FEEDBACK, IDS, placed(other, IDS, partitions))
    assert check.broken == (one != other and partitions > 1)


def test_keys_that_are_no_trace_ids_are_noticed_in_one_topic() -> None:
    """Feedback keyed by its session lies elsewhere than the traces that are keyed by trace id."""
    check = CopartitionCheck(4)
    check.add(TRACE, IDS, placed("murmur2", IDS, 4))
    check.add(FEEDBACK, IDS, [crc32(one[:-1].encode()[::-1]) % 4 for one in IDS])
    assert check.broken


def test_a_partitioner_that_is_not_known_is_no_fault() -> None:
    """Both topics may use one of their own; only records that lie astray then tell."""
    check = CopartitionCheck(4)
    for kind in (TRACE, FEEDBACK):
        check.add(kind, IDS, [len(one) % 4 for one in IDS])
    assert not check.broken
    check.add_misplaced(MISPLACED_TRACES_LIMIT - 1)
    assert not check.broken
    check.add_misplaced(1)
    assert check.broken


def test_one_trace_id_many_times_says_little() -> None:
    """Where both partitioners put it into the same partition, it tells nothing of either."""
    [first, *_] = [i for i in IDS if placed("crc32", [i], 2) == placed("murmur2", [i], 2)]
    check = CopartitionCheck(2)
    check.add(TRACE, [first] * 100, placed("crc32", [first], 2) * 100)
    check.add(FEEDBACK, IDS, placed("murmur2", IDS, 2))
    assert not check.broken
