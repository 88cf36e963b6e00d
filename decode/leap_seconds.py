"""Replaces leap seconds, such as 2016-12-31T23:59:60Z, which Python's times cannot represent.

A leap second is read as the second after it, as most clocks show it (POSIX.1-2017, 4.16).
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
    """Replace leap seconds in a record's times, in place; return whether there were any."""
    if not isinstance(document, dict):
        return False
    times = [field.name for field in contract.fields if field.type is FieldType.TIMESTAMP]
    replaced = {name: at for name in times if (at := _following_second(document.get(name)))}
    document |= replaced
    return bool(replaced)


def _following_second(value: Any) -> str | None:
    """Return the second after a leap second as text; None for all other values.

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
