"""Reads the time from the clock of the lake's store, for jobs that delete by age.

A machine whose clock is ahead would delete too early, and remove files that another program has
just uploaded. So this module writes a small object, and takes the store's timestamp of it as *now*.
A machine clock that differs by more than a few minutes is refused. In a folder on this machine's
own disk both may be the same clock. There, the limit on what one run may delete protects the data
(`batch.retention.limit`).
"""

from collections.abc import Callable
from typing import Final

from lake.objects import ObjectStore
from schemas.errors import FatalError
from schemas.times import MICROS_PER_SECOND, from_micros

CLOCK_FOLDER: Final = "clock"
"""The folder of the lake that holds the object."""
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 300
"""How much a machine's clock may differ from the store's."""

_FILE: Final = "now"


def read_store_time(files: ObjectStore, now_us: Callable[[], int]) -> int:
    """Return the store's time, in microseconds since 1970, UTC; ``files`` is the clock folder.

    Raises FatalError if this machine's clock, ``now_us``, differs by more than
    MAX_CLOCK_DIFFERENCE_SECONDS, otherwise what the store raises. Then nothing may be deleted.
    """
    before = now_us()
    store_us = files.stamp(_FILE)
    after = now_us()
    tolerance = MAX_CLOCK_DIFFERENCE_SECONDS * MICROS_PER_SECOND
    if before - tolerance <= store_us <= after + tolerance:
        return store_us
    raise FatalError(
        f"the clock of this machine says {_text(after)}, but that of the lake's store says "
        f"{_text(store_us)}: nothing was changed. Correct this machine's clock (NTP) and run the "
        "command again"
    )


def _text(micros: int) -> str:
    try:
        return f"{from_micros(micros):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "a time outside the calendar"
