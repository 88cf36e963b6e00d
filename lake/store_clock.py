"""The time by the clock of the store that holds a lake, for whatever deletes by age.

A machine whose clock is ahead would take out what is not due, and remove files that another has
just uploaded. So a small object is written, and the time that the store gives it is *now*; a clock
that says something else by more than some minutes is refused. In a folder on this machine's own
disk both may be one clock: what helps there is the limit of what one run may take
(`batch.retention.limit`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from lake.objects import ObjectStore
from schemas.errors import FatalError

CLOCK_FOLDER: Final = "clock"
"""The folder of the lake that the object is in."""
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 300
"""By how much a machine's clock may differ from the store's."""

_FILE: Final = "now"
_MICROS: Final = 1_000_000


def read_store_time(files: ObjectStore, now_us: Callable[[], int]) -> int:
    """Return the time (microseconds since 1970, UTC) by the store of ``files``, the folder above.

    Raises FatalError if the clock of this machine, ``now_us``, differs by more than MOST_SECONDS,
    otherwise as the store does. Nothing may be deleted then.
    """
    before = now_us()
    there = files.stamp(_FILE)
    after = now_us()
    most = MAX_CLOCK_DIFFERENCE_SECONDS * _MICROS
    if before - most <= there <= after + most:
        return there
    raise FatalError(
        f"the clock of this machine says {_text(after)}, that of the lake's store {_text(there)}: "
        "nothing was changed. Set this machine's clock right (NTP), and run the command again"
    )


def _text(micros: int) -> str:
    try:
        return f"{datetime.fromtimestamp(micros / _MICROS, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "no time that a calendar has"
