"""Vacuum: removes files that no readable version of a table needs."""

from typing import Final

from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.commit import NO_POST_COMMIT_HOOKS
from lake.tables import Table
from schemas.errors import RetryableError, UsageError

MIN_KEEP_HOURS: Final = 1
"""Younger files are never removed: they may be in use by a writer or a reader."""


def vacuum_table(table: Table, *, keep_hours: int, dry_run: bool) -> list[str]:
    """Remove files that left the table, or never entered it, longer ago than ``keep_hours``.

    Returns their paths. May run several times at once, and again after a crash. Raises UsageError
    if ``keep_hours`` is too short to be safe, and RetryableError if the lake cannot be used.
    """
    if keep_hours < MIN_KEEP_HOURS:
        raise UsageError(
            f"files younger than {MIN_KEEP_HOURS} hour may be in use: keep them for at least 1 hour"
        )
    table.refresh()
    try:
        return sorted(
            table.handle.vacuum(
                retention_hours=keep_hours,
                dry_run=dry_run,
                enforce_retention_duration=False,
                full=True,
                post_commithook_properties=NO_POST_COMMIT_HOOKS,
            )
        )
    except (DeltaError, OSError) as error:
        raise RetryableError(
            f"vacuuming table {table.name} failed ({describe_cause(error)})"
        ) from error
