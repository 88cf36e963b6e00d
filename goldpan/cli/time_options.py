"""Option types for times and days."""

import re
from datetime import date, datetime
from typing import Any, Final

import click

from schemas.times import to_utc

_UTC: Final = re.compile(r"\s*(?:Z|UTC)$")
_EXAMPLES: Final = "a day such as 2026-11-30 or a time such as 2026-11-30T08:00:00Z"


class DayParam(click.ParamType[date]):
    """A day, written as 2026-11-30."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day; fail for anything else."""
        if isinstance(value, date):
            return value
        try:
            day = date.fromisoformat(str(value))
        except ValueError:
            day = None
        if day is None or day.isoformat() != value:
            self.fail(f"{value!r} is not a day such as 2026-11-30.", param, ctx)
        return day


class TimeParam(click.ParamType[datetime]):
    """A day, or a time as in RFC 3339 or as goldpan prints it, returned in UTC.

    A time without offset is in UTC.
    """

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time; fail for anything else."""
        if isinstance(value, datetime):
            return value
        try:
            return to_utc(datetime.fromisoformat(_UTC.sub("+00:00", str(value).strip())))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not {_EXAMPLES}.", param, ctx)
