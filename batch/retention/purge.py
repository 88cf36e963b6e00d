"""Removes from the bucket what left a table a while ago, with all versions that the bucket keeps.

A reader may hold a version of the table from before; files that left it less long ago stay.
"""

from lake.retry import Retry
from lake.tables import Table
from lake.vacuum import vacuum_table


def purge_table(table: Table, *, keep_hours: int, retry: Retry) -> list[str]:
    """Remove files that left a table, or never got into it, longer ago than ``keep_hours``.

    Where a bucket keeps versions, those of files that were removed earlier go as well. Returns the
    paths. Safe to run at any time, and again. Raises UsageError if ``keep_hours`` is too short,
    FatalError or RetryableError if the lake does not answer.
    """
    what = f"purging table {table.name}"
    gone = retry.call(what, lambda: vacuum_table(table, keep_hours=keep_hours, dry_run=True))
    for path in gone:
        retry.call(what, lambda path=path: table.files.purge(path))  # type: ignore[misc]
    for hidden in retry.call(what, lambda: list(table.files.hidden("event_date="))):
        retry.call(what, lambda hidden=hidden: table.files.remove_hidden(hidden))  # type: ignore[misc]
    return gone
