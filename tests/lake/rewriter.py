"""A process that puts the files of a table together, again and again, against others."""

import os
import secrets
import sys
import time

from lake.commit import Watch
from lake.config import LakeSettings
from lake.ledger import Entry, EntryKind
from lake.retry import Retry
from lake.rewrite import ReplacedError, Replacement, replace
from lake.stored import live_files, read_rows, together, write_again
from lake.tables import Lake, Table
from tests.ending import end
from tests.lake.kit import SOURCE

RETRY = Retry(60, time.monotonic, lambda s: time.sleep(s / 10) is not None, lambda _low, high: high)


def compact(table: Table, watch: Watch | None = None) -> bool:
    """Put all files of a table into one; return False if there is nothing to put together."""
    table.refresh()
    old = live_files(table)
    if len(old) < 2:
        return False
    rows = together([read_rows(table, file) for file in old]).sorted_by("_offset")
    new = write_again(table, rows, instead_of=old, retry=RETRY)
    entry = Entry(EntryKind.REDRIVE, [])
    wanted = Replacement(old, [new], entry, secrets.randbits(63), same_rows=True)
    replace(table, wanted, retry=RETRY, now_ms=lambda: time.time_ns() // 10**6, watch=watch)
    return True


def main(uri: str, end: int) -> None:
    """Go on until the position is at ``end``, and say how often it was done and how often not."""
    table = Lake(
        LakeSettings(uri=uri, s3_endpoint_url=os.environ.get("GOLDPAN_LAKE__S3_ENDPOINT_URL"))
    ).table("feedback")
    won = lost = unknown = 0

    def note(_table: str, _error: BaseException) -> None:
        nonlocal unknown
        unknown += 1

    last = False
    while not last:
        table.refresh()
        last = (table.positions([SOURCE])[SOURCE] or 0) >= end
        try:
            won += compact(table, Watch(unknown=note))
        except ReplacedError:
            lost += 1
    sys.stdout.write(f"{won} {lost} {unknown}\n")
    sys.stdout.flush()
    os._exit(0)  # delta-rs' threads may make an ordinary exit abort


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    end()
