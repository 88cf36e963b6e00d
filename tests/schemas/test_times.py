"""Times: days and moments in UTC, and microseconds since 1970."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.times import (
    day_of_micros,
    day_start_micros,
    format_rfc3339,
    from_micros,
    to_micros,
)

MICROS = st.integers(-(10**15), 4 * 10**15)


@given(MICROS)
def test_microseconds_come_back_from_a_moment(micros: int) -> None:
    """No precision is lost, before 1970 either."""
    assert to_micros(from_micros(micros)) == micros


@given(MICROS)
def test_a_time_lies_in_its_day(micros: int) -> None:
    """A day begins at or before the times in it, and ends after them."""
    start = day_start_micros(day_of_micros(micros))
    assert start <= micros < start + 86_400_000_000


@given(MICROS)
def test_the_text_of_a_time_reads_back(micros: int) -> None:
    """As RFC 3339, in UTC."""
    text = format_rfc3339(from_micros(micros))
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == from_micros(micros)


def test_a_day_starts_at_midnight_in_utc() -> None:
    """Whatever the time zone of the machine."""
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    assert day_start_micros(date(2026, 11, 30)) == to_micros(moment)
