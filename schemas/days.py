"""Days near the ends of the calendar: `from the beginning` is often written 0001-01-01."""

from datetime import date


def shifted(day: date, days: int) -> date:
    """Return the day that is ``days`` later (earlier, if negative), or the last (first) of all."""
    ordinal = day.toordinal() + days
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))
