"""The options that choose rows: of a release, of some days of the lake, or of a file."""

from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec

import click

from goldpan.cli.time_options import DayParam
from goldpan.judge_setup import SubjectChoice
from schemas.errors import UsageError

P = ParamSpec("P")
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


def with_subjects(function: Callable[P, None]) -> Callable[P, None]:
    """Add the options that choose the rows to a command, which passes a `SubjectChoice`."""

    @click.option("--release", metavar="NAME[@VERSION]", help="Take the rows of a release.")
    @click.option("--from", "first", type=DayParam(), help="Take traces from this day (UTC) on.")
    @click.option("--to", "last", type=DayParam(), help="Last day; default: that of --from.")
    @click.option("--rows", type=_FILE, metavar="FILE", help="Take the rows of a JSON lines file.")
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        release, file = kwargs.pop("release"), kwargs.pop("rows")
        days = _days(kwargs.pop("first"), kwargs.pop("last"))
        if sum(each is not None for each in (release, days, file)) > 1:
            raise UsageError("Give one of --release, --from (with --to) and --rows.")
        kwargs["choice"] = SubjectChoice(
            release if isinstance(release, str) else None,
            days,
            file if isinstance(file, Path) else None,
        )
        function(*args, **kwargs)

    return command


def _days(first: object, last: object) -> tuple[date, date] | None:
    if not isinstance(first, date):
        if isinstance(last, date):
            raise UsageError("--to needs --from: the first day.")
        return None
    end = last if isinstance(last, date) else first
    if end < first:
        raise UsageError("--to is before --from.")
    return first, end
