"""Removing files that no version within reach consists of any more."""

from typing import Final

from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.commit import NO_POST_COMMIT_HOOKS
from lake.tables import Table
from schemas.errors import RetryableError, UsageError

MIN_KEEP_HOURS: Final = 1
"""A file that is being written, or read, now may be this old: younger ones are never removed."""


def vacuum_table(table: Table, *, keep_hours: int, dry_run: bool) -> list[str]:
    """Remove files that left the table, or never got into it, longer ago than ``keep_hours``.

    Returns their paths. May be run by several at once, and again after a crash. Raises UsageError
    if ``keep_hours`` is too short to be safe, RetryableError if the lake does not answer.
    """
    if keep_hours < MIN_KEEP_HOURS:
        raise UsageError(
            f"files younger than {MIN_KEEP_HOURS} hour may be in use: keep them for at least that"
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
            f"vacuuming table {table.name}: no good answer ({describe_cause(error)})"
        ) from error
