"""Days and moments in UTC, and their conversion from and to microseconds since 1970."""

from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def shift_day(day: date, days: int) -> date:
    """Return the day that is ``days`` later (earlier, if negative), or the last (first) of all."""
    ordinal = day.toordinal() + days
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def to_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, which it is in unless it says otherwise.

    Raises OverflowError before the first day of the calendar and after the last.
    """
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)


def micros_of(moment: datetime) -> int:
    """Return a moment in microseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MICROSECOND


def day_start_micros(day: date) -> int:
    """Return the start of a day (UTC) in microseconds since 1970."""
    return micros_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


def day_of_micros(micros: int) -> date:
    """Return the day (UTC) of a time in microseconds since 1970."""
    return (_EPOCH + micros * _MICROSECOND).date()


def format_micros(micros: int) -> str:
    """Return a time in microseconds since 1970 (UTC) by RFC 3339."""
    return (_EPOCH + micros * _MICROSECOND).isoformat().replace("+00:00", "Z")
