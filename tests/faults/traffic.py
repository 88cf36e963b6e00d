"""Records for the fault tests: traces and feedback, some of them broken, some of them long."""

from tests.make.records import encode_json, feedback, trace
from tests.servers.topic_io import Record

LONG = 6_000
"""Bytes of a long trace: it passes or not, as ``max_record_bytes`` says."""
SHORT_LIMIT = 4_000
"""A ``max_record_bytes`` that sets the long traces aside and lets the others pass."""


def traces(first: int, count: int) -> list[Record]:
    """Traces ``first`` and following; of ten, one is broken in some way and one is long."""
    return [Record(f"trace-{i}".encode(), _trace(i)) for i in range(first, first + count)]


def feedbacks(first: int, count: int) -> list[Record]:
    """Feedback on these traces; one of ten is broken."""
    return [
        Record(f"trace-{i}".encode(), b"{}" if i % 10 == 4 else encode_json(feedback(i)))
        for i in range(first, first + count)
    ]


def is_broken(i: int) -> bool:
    """Whether trace ``i`` can never go to its table."""
    return i % 10 == 3


def is_long(i: int) -> bool:
    """Whether trace ``i`` is long."""
    return i % 10 == 6


def _trace(i: int) -> bytes | None:
    if is_broken(i):
        return (None, b"", b"\xff not JSON", b'{"trace_id": 7}')[i // 10 % 4]
    return encode_json(trace(i, size=LONG if is_long(i) else 1_000))
