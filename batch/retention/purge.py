"""Purges files that left a table long enough ago, with all versions kept by the bucket.

A reader may still use an older version of the table, so files that left it recently stay.
"""

from functools import partial

from lake.retry import Retry
from lake.tables import Table
from lake.vacuum import vacuum_table


def purge_table(table: Table, *, keep_hours: int, retry: Retry) -> list[str]:
    """Remove files that left a table, or never got into it, longer ago than ``keep_hours``.

    In a versioned bucket the versions of files removed earlier are removed too. Returns the paths.
    Safe to run at any time, and repeatedly. Raises UsageError if ``keep_hours`` is too short,
    FatalError or RetryableError if the lake does not answer.
    """
    what = f"purging table {table.name}"
    paths = retry.call(what, lambda: vacuum_table(table, keep_hours=keep_hours, dry_run=True))
    for path in paths:
        retry.call(what, partial(table.files.purge, path))
    for hidden in retry.call(what, lambda: list(table.files.hidden("event_date="))):
        retry.call(what, partial(table.files.remove_hidden, hidden))
    return paths
