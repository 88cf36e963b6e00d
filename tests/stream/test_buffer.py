"""What a flush says: which positions it moves, under which guards, over which ranges."""

from collections import Counter

from lake.fences import ERASURE_FENCE
from lake.table_commit import Guard, Move
from lake.table_log import claim_app, late_app, position_app
from stream.buffer import Flush, TopicBuffer
from stream.lag import PartitionLag, compute_lag
from stream.owned_partition import OwnedPartition
from stream.ranges import OpenRange
from tests.lake.kit import HERE, OTHER, SOURCE, TOPIC, rows

HERE_IS = position_app(SOURCE)
TOKEN = 77


def owned(
    position: int | None, quarantine: int | None, *, late: int | None = None
) -> OwnedPartition:
    """Return a partition as it was taken over."""
    start = position or 0
    return OwnedPartition(OpenRange(SOURCE, start, start), position, quarantine, late, claim=5)


def sealed(item: OwnedPartition, end: int, bad: set[int] = frozenset()) -> Flush:  # type: ignore[assignment]
    """Read up to ``end`` and seal."""
    buffer = TopicBuffer(TOPIC)
    offsets = list(range(item.range.next, end))
    item.range.read(offsets)
    item.range.quarantined += len(bad)
    item.range.stored += len(offsets) - len(bad)
    buffer.add(rows([(0, offset) for offset in offsets if offset not in bad]), 1.0)
    if bad:
        late = {SOURCE} if min(bad) < (item.quarantine or 0) else set()
        aside = rows([(0, offset) for offset in bad], table="quarantine")
        buffer.set_aside_rows(aside, Counter({SOURCE: len(bad)}), late, 1.0)
    flush = buffer.seal([item], HERE, TOKEN)
    assert flush is not None
    return flush


def test_both_positions_move_in_step() -> None:
    """Also if nothing is set aside; the claim that was seen guards the primary table."""
    flush = sealed(owned(10, 10), 15)
    assert flush.quarantine.moves == [Move(HERE_IS, 10, 15)]
    assert flush.primary.moves == [Move(HERE_IS, 10, 15)]
    assert flush.primary.guards == [ERASURE_FENCE.guard(0), Guard(claim_app(SOURCE), 5)]
    assert flush.claim.moves == []


def test_the_next_flush_goes_on_from_there() -> None:
    """While the first one is still under way."""
    item = owned(10, 10)
    sealed(item, 15)
    flush = sealed(item, 18)
    assert flush.primary.moves == flush.quarantine.moves == [Move(HERE_IS, 15, 18)]
    assert [(r.start, r.end) for r in flush.primary.ranges] == [(15, 18)]


def test_where_quarantine_is_ahead_its_mark_moves() -> None:
    """With or without rows: to the token, which no other flush has."""
    flush = sealed(owned(10, 20, late=3), 15)
    assert flush.quarantine.moves == [Move(late_app(SOURCE), 3, TOKEN)]
    assert flush.claim.moves == []


def test_where_a_flush_goes_beyond_quarantine_both_move() -> None:
    """The mark for what was passed already, the position for the rest."""
    flush = sealed(owned(10, 12), 15)
    assert flush.quarantine.moves == [
        Move(late_app(SOURCE), None, TOKEN),
        Move(HERE_IS, 12, 15),
    ]


def test_late_rows_are_claimed_first() -> None:
    """The claim holds the position still, and the primary table then needs that very claim."""
    flush = sealed(owned(10, 20), 15, {12})
    assert flush.claim.moves == [Move(claim_app(SOURCE), 5, TOKEN)]
    assert flush.claim.guards == [ERASURE_FENCE.guard(0), Guard(HERE_IS, 10)]
    assert flush.primary.guards == [ERASURE_FENCE.guard(0), Guard(claim_app(SOURCE), TOKEN)]


def test_a_claim_without_a_position_makes_one() -> None:
    """A guard needs a number to hold on to."""
    flush = sealed(owned(None, 20), 15, {12})
    assert flush.claim.moves == [Move(claim_app(SOURCE), 5, TOKEN), Move(HERE_IS, None, 0)]
    assert flush.primary.moves == [Move(HERE_IS, 0, 15)]


def test_nothing_read_is_no_flush() -> None:
    """A buffer that was only touched goes back to sleep."""
    buffer = TopicBuffer(TOPIC)
    buffer.touch(1.0)
    assert buffer.age(3.5) == 2.5
    assert buffer.seal([owned(10, 10)], HERE, TOKEN) is None
    assert (buffer.age(9.0), buffer.bytes) == (0.0, 0)


def test_only_partitions_that_have_moved_are_in_a_flush() -> None:
    """A quiet partition's owner is in nobody's way."""
    quiet = OwnedPartition(OpenRange(OTHER, 4, 4), 4, 4, None)
    busy = owned(10, 10)
    busy.range.read([10])
    busy.range.stored += 1
    flush = TopicBuffer(TOPIC).seal([quiet, busy], HERE, TOKEN)
    assert flush is not None
    assert [item.source for item in flush.primary.ranges] == [SOURCE]


def test_lag_is_what_is_not_in_the_table() -> None:
    """Also what is in a flush that has not landed; its age is that of the oldest such record."""
    item = owned(10, 10)
    assert compute_lag(item, high=10, now_ms=9_000, committed=10) == PartitionLag(0, 0.0)
    item.range.read([10, 11])
    item.oldest_open_ms, item.newest_read_ms = 4_000, 6_000
    assert compute_lag(item, high=15, now_ms=9_000, committed=10) == PartitionLag(5, 5.0)
    assert compute_lag(item, high=15, now_ms=3_000, committed=10).seconds == 0.0
    item.oldest_open_ms = -1
    assert compute_lag(item, high=15, now_ms=9_000, committed=10) == PartitionLag(5, 0.0)
