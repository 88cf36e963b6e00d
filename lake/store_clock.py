"""The time by the clock of the store that holds a lake, for jobs that delete by age.

A machine whose clock is ahead would delete too early, and remove files that another program has
just uploaded. So a small object is written, and the time that the store gives it is *now*. A
machine clock that differs by more than some minutes is refused. In a folder on this machine's own
disk both may be the same clock: there the limit on what one run may delete helps
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
    """Return the time (microseconds since 1970, UTC) by the store of ``files``, the folder above.

    Raises FatalError if the clock of this machine, ``now_us``, differs by more than MOST_SECONDS,
    otherwise as the store does. Nothing may be deleted then.
    """
    before = now_us()
    there = files.stamp(_FILE)
    after = now_us()
    most = MAX_CLOCK_DIFFERENCE_SECONDS * MICROS_PER_SECOND
    if before - most <= there <= after + most:
        return there
    raise FatalError(
        f"the clock of this machine says {_text(after)}, but that of the lake's store says "
        f"{_text(there)}: nothing was changed. Correct this machine's clock (NTP) and run the "
        "command again"
    )


def _text(micros: int) -> str:
    try:
        return f"{from_micros(micros):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "a time outside the calendar"
