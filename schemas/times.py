"""Days near the ends of the calendar, as `from the beginning` is often written, and moments."""

from datetime import UTC, date, datetime


def shift_day(day: date, days: int) -> date:
    """Return the day that is ``days`` later (earlier, if negative), or the last (first) of all."""
    ordinal = day.toordinal() + days
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


def to_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, which it is in unless it says otherwise.

    Raises OverflowError before the first day of the calendar and after the last.
    """
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
