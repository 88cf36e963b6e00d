"""Leap seconds: a time such as 2016-12-31T23:59:60Z did exist, and no clock here can hold it.

It is taken as the second after, as most clocks showed it (POSIX.1-2017, 4.16).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.contract import Contract, FieldType

_LEAP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d):60(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_SECOND: Final = timedelta(seconds=1)


def replace_leap_seconds(document: Any, contract: Contract) -> bool:
    """Replace the leap seconds in the times of a record, in place; tell whether there were any."""
    if not isinstance(document, dict):
        return False
    times = [field.name for field in contract.fields if field.type is FieldType.TIMESTAMP]
    found = {name: moment for name in times if (moment := _after(document.get(name)))}
    document |= found
    return bool(found)


def _after(value: Any) -> str | None:
    """Return the second after a leap second as text; None for all else.

    Leap seconds end the last day of a month in UTC, in whatever zone they are written.
    """
    match = _LEAP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        last = datetime.fromisoformat(f"{match[1]}:59{match[2].upper()}".replace(" ", "T"))
        after = last.astimezone(UTC) + _SECOND
    except (ValueError, OverflowError):
        return None
    begins_month = (after.day, after.hour, after.minute, after.second) == (1, 0, 0, 0)
    return after.isoformat() if begins_month else None
