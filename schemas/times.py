"""Days near the ends of the calendar, moments in UTC, and microseconds since 1970."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the moment that is this many microseconds after 1970 began (UTC)."""
    return EPOCH + timedelta(microseconds=micros)


def to_micros(moment: datetime) -> int:
    """Return the microseconds from the beginning of 1970 (UTC) to a moment with a time zone."""
    return (moment - EPOCH) // _MICROSECOND


def shift_day(day: date, days: int) -> date:
    """Return the day that is ``days`` later (earlier, if negative), or the last (first) of all."""
    ordinal = day.toordinal() + days
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def to_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, which it is in unless it says otherwise.

    Raises OverflowError before the first day of the calendar and after the last.
    """
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
