"""The range of a replay: offsets or times, resolved to offsets by partition.

Only records that the worker has stored can be replaced, and only records that Kafka still has can
be re-read. Both bound the range of each partition.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from lake.ledger import SourcePartition
from schemas.errors import UsageError
from schemas.times import EPOCH, midnight, shift_day, to_utc

RangeBound = int | datetime
"""An offset or a time; a time means the first record with that Kafka timestamp or a later one."""


@dataclass(frozen=True, slots=True)
class ReplayRange:
    """The requested range; an ``end`` of None means up to what is stored."""

    start: RangeBound
    end: RangeBound | None

    def __str__(self) -> str:
        return f"{_text(self.start)} to {'what is stored' if self.end is None else _text(self.end)}"


@dataclass(frozen=True, slots=True)
class ReplaySpan:
    """The offsets ``[start, end)`` of one partition to replay.

    ``forgotten`` counts the requested offsets before them that Kafka no longer has.
    """

    partition: int
    start: int
    end: int
    forgotten: int = 0

    @property
    def offsets(self) -> int:
        """Return the number of offsets."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class PartitionBounds:
    """What Kafka still has of a partition, and the table's position."""

    low: int
    high: int
    position: int


def parse_bound(text: str) -> RangeBound:
    """Parse an offset or an RFC 3339 time (UTC unless it has an offset).

    Raises UsageError.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = to_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is neither an offset nor a time such as 2026-10-01T00:00:00Z."
        ) from None
    return max(moment, EPOCH)  # no Kafka record is older; an earlier bound means everything


def parse_days(text: str) -> ReplayRange:
    """Parse one or two days (``2026-10-01``, ``2026-10-01..2026-10-31``; UTC, inclusive).

    Raises UsageError.
    """
    first, _, last = text.partition("..")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise UsageError(
            f"--days {text}: give a day such as 2026-10-01, or 2026-10-01..2026-10-31."
        ) from None
    return make_replay_range(midnight(days[0]), midnight(shift_day(days[1], 1)))


def make_replay_range(start: RangeBound, end: RangeBound | None) -> ReplayRange:
    """Return a range; UsageError if its end is not after its start."""
    if end is not None and _ends_too_early(start, end):
        raise UsageError(f"The range ends ({_text(end)}) before it begins ({_text(start)}).")
    return ReplayRange(start, end)


def resolve_spans(
    requested: ReplayRange,
    bounds: Mapping[SourcePartition, PartitionBounds],
    offset_at: Callable[[SourcePartition, datetime], int | None],
) -> list[ReplaySpan]:
    """Return the offsets to replay, by partition; partitions without any are left out.

    ``offset_at`` returns the first offset at or after a time, None if there is none.
    """
    result = []
    for source, at in sorted(bounds.items()):
        start = _offset(requested.start, source, at, offset_at)
        end = (
            at.position if requested.end is None else _offset(requested.end, source, at, offset_at)
        )
        first, last = max(start, at.low), min(end, at.position)
        if first < last:
            gone = max(0, first - start) if isinstance(requested.start, int) else 0
            result.append(ReplaySpan(source.partition, first, last, gone))
    return result


def count_unread(
    requested: ReplayRange,
    bounds: Mapping[SourcePartition, PartitionBounds],
    offset_at: Callable[[SourcePartition, datetime], int | None],
) -> int:
    """Return how many requested offsets Kafka has and the worker has yet to store.

    The worker stores these later, under its own policy. A replay without them does not cover the
    whole request.
    """
    if requested.end is None:
        return 0
    count = 0
    for source, at in bounds.items():
        end = min(_offset(requested.end, source, at, offset_at), at.high)
        if end > at.position:
            start = _offset(requested.start, source, at, offset_at)
            count += max(0, end - max(start, at.position, at.low))
    return count


def _offset(
    bound: RangeBound,
    source: SourcePartition,
    at: PartitionBounds,
    offset_at: Callable[[SourcePartition, datetime], int | None],
) -> int:
    if isinstance(bound, int):
        return bound
    result = offset_at(source, bound)
    return at.high if result is None else result


def _ends_too_early(start: RangeBound, end: RangeBound) -> bool:
    if isinstance(start, int) and isinstance(end, int):
        return end <= start
    if isinstance(start, datetime) and isinstance(end, datetime):
        return end <= start
    return False  # an offset and a time cannot be compared


def _text(bound: RangeBound) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:%Y-%m-%dT%H:%M:%S.%fZ}"
