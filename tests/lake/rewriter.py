"""A process that puts the files of a table together, again and again, against others."""

import os
import secrets
import sys
import time

from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.retry import Retry
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitWatch, TableCommit
from lake.tables import Lake, Table
from tests.ending import end
from tests.lake.kit import SOURCE, commit_context


def _sleep(seconds: float) -> bool:
    time.sleep(seconds / 10)
    return False


RETRY = Retry(60, time.monotonic, _sleep, lambda _low, high: high)


def compact(table: Table, watch: CommitWatch | None = None) -> bool:
    """Put all files of a table into one; return False if there is nothing to put together."""
    table.refresh()
    old = list_live_files(table)
    if len(old) < 2:
        return False
    rows = concat_rows([read_file_rows(table, file) for file in old]).sorted_by("_offset")
    new = rewrite_rows(table, rows, instead_of=old, retry=RETRY)
    entry = LedgerEntry(EntryKind.REDRIVE, [])
    wanted = TableCommit(
        entry=entry, token=secrets.randbits(63), removes=old, adds=[new], same_rows=True
    )
    replace_files(
        table, wanted, commit_context(RETRY, watch=watch, now_us=lambda: time.time_ns() // 1000)
    )
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
            won += compact(table, CommitWatch(unknown=note))
        except FileReplacedError:
            lost += 1
    sys.stdout.write(f"{won} {lost} {unknown}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    end()
