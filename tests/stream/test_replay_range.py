"""From where to where a replay goes, and how fast."""

from datetime import UTC, datetime

import pytest

from lake.ledger import SourcePartition
from schemas.errors import UsageError
from stream.replay.rate_limiter import RateLimiter
from stream.replay.replay_range import (
    PartitionBounds,
    ReplaySpan,
    count_unread,
    make_replay_range,
    parse_bound,
    parse_days,
    resolve_spans,
)

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
KNOWN = {
    SourcePartition("t", 0): PartitionBounds(10, 100, 80),
    SourcePartition("t", 1): PartitionBounds(0, 50, 50),
}


def at(source: SourcePartition, moment: datetime) -> int | None:
    """Return offset 30 for noon and before, and nothing later."""
    return 30 if moment <= NOON else None


def test_offsets_are_bounded_by_kafka_and_by_what_is_stored() -> None:
    """What Kafka has forgotten is counted; what is not stored yet is for the worker."""
    assert resolve_spans(make_replay_range(5, 90), KNOWN, at) == [
        ReplaySpan(0, 10, 80, 5),
        ReplaySpan(1, 5, 50),
    ]
    assert resolve_spans(make_replay_range(85, 90), KNOWN, at) == []
    assert resolve_spans(make_replay_range(20, None), KNOWN, at) == [
        ReplaySpan(0, 20, 80),
        ReplaySpan(1, 20, 50),
    ]


def test_times_are_asked_of_kafka() -> None:
    """A time later than all records stands for the end."""
    assert resolve_spans(parse_days("2026-10-01"), KNOWN, at) == [
        ReplaySpan(0, 30, 80),
        ReplaySpan(1, 30, 50),
    ]
    assert resolve_spans(parse_days("2026-10-02"), KNOWN, at) == []


@pytest.mark.parametrize("text", ["-1", "yesterday", "1.5", ""])
def test_what_is_neither_offset_nor_time_is_refused(text: str) -> None:
    """The sentence shows how a time is written."""
    with pytest.raises(UsageError, match="2026-10-01T00:00:00Z"):
        parse_bound(text)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    """Both as offsets and as times."""
    with pytest.raises(UsageError, match="before it begins"):
        make_replay_range(5, 5)
    with pytest.raises(UsageError, match="before it begins"):
        parse_days("2026-10-02..2026-10-01")
    with pytest.raises(UsageError, match="--days"):
        parse_days("October")


def test_times_without_an_offset_are_utc() -> None:
    """Two ways to write one moment give one range."""
    assert parse_bound("2026-10-01T14:00:00+02:00") == parse_bound("2026-10-01T12:00:00") == NOON


def test_no_more_records_a_second_than_told() -> None:
    """On average, however they come; a pause is not made up for by a burst of more than a second's.

    The clock moves only by what is slept.
    """
    now = [0.0]
    rate = RateLimiter(100.0, lambda: now[0], lambda wait: now.__setitem__(0, now[0] + wait))
    taken = 0
    for _ in range(50):
        most = rate.limit_batch(4_000)
        rate.took(most)
        taken += most
    assert now[0] == pytest.approx(taken / 100)
    now[0] += 3600
    before = now[0]
    for _ in range(20):
        rate.took(rate.limit_batch(4_000))
    assert now[0] - before == pytest.approx(20 * 25 / 100 - 1)


def test_what_is_not_stored_yet_is_counted() -> None:
    """Offsets that were asked for, are in Kafka and not in the table are told, and only these."""
    assert count_unread(make_replay_range(5, None), KNOWN, at) == 0
    assert count_unread(make_replay_range(5, 80), KNOWN, at) == 0
    assert count_unread(make_replay_range(5, 90), KNOWN, at) == 10
    assert count_unread(make_replay_range(85, 1000), KNOWN, at) == 15
    assert count_unread(parse_days("2026-10-01"), KNOWN, at) == 20


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_before_all_records_means_from_the_first(text: str) -> None:
    """Kafka knows no time before 1970: whoever asks from the beginning gets all there is."""
    assert parse_bound(text) == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_ends_of_the_calendar_are_days() -> None:
    """Up to its last day is a range; a moment beyond it is refused."""
    assert parse_days("2026-10-01..9999-12-31").end == datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(UsageError, match="neither an offset nor a time"):
        parse_bound("0001-01-01T00:00:00+14:00")
