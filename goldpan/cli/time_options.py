"""Option type for times: a day, or a time in RFC 3339 or as goldpan prints it."""

from datetime import datetime
from typing import Any, Final

import click

from schemas.times import to_utc

_EXAMPLES: Final = "a day such as 2026-11-30 or a time such as 2026-11-30T08:00:00Z"


class TimeParam(click.ParamType[datetime]):
    """A time, returned in UTC; a time without offset is in UTC."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time; fail for anything else."""
        if isinstance(value, datetime):
            return value
        try:
            return to_utc(datetime.fromisoformat(str(value).strip().replace(" Z", "Z")))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not {_EXAMPLES}.", param, ctx)
