"""Times and days in UTC: conversions to numbers and RFC 3339, and the calendar's limits."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_PER_SECOND: Final = 1_000_000
_MICROSECOND: Final = timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the moment that is this many microseconds after 1970 began (UTC)."""
    return EPOCH + timedelta(microseconds=micros)


def from_millis(millis: int) -> datetime:
    """Return the moment that is this many milliseconds after 1970 began (UTC)."""
    return EPOCH + timedelta(milliseconds=millis)


def to_micros(moment: datetime) -> int:
    """Return the microseconds from the beginning of 1970 (UTC) to a moment with a time zone."""
    return (moment - EPOCH) // _MICROSECOND


def day_of_micros(micros: int) -> date:
    """Return the UTC day of a time in microseconds since 1970."""
    return from_micros(micros).date()


def day_number(day: date) -> int:
    """Return a day as a number of days since 1970."""
    return (day - EPOCH.date()).days


def from_day_number(days: int) -> date:
    """Return the day that is this many days after 1970 began."""
    return EPOCH.date() + timedelta(days=days)


def midnight(day: date) -> datetime:
    """Return the first moment of a day (UTC)."""
    return datetime.combine(day, time(), UTC)


def format_rfc3339(moment: datetime) -> str:
    """Return a moment in UTC as RFC 3339 with ``Z``, to the microsecond if it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_rfc3339_seconds(moment: datetime) -> str:
    """Return a moment in UTC as RFC 3339 with ``Z``, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def shift_day(day: date, days: int) -> date:
    """Return the day that is ``days`` later (earlier, if negative), or the last (first) of all."""
    ordinal = day.toordinal() + days
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def to_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a time zone is taken as UTC.

    Raises OverflowError before the first day of the calendar and after the last.
    """
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)


def day_start_micros(day: date) -> int:
    """Return the start of a day (UTC) in microseconds since 1970."""
    return to_micros(midnight(day))
