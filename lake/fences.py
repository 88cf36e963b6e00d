"""Raising a number that commits rest on, so that none that was compared before comes after.

A commit compares such a number (`lake.commit.Ceiling`) and does not write it, since all owners of
partitions would then be in each other's way. Who raises the number changes the table's metadata in
the same commit: delta-rs puts no commit behind one of those, so one that was compared before and is
sent after fails, is compared again and is fenced.
"""

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.commit import NO_POST_COMMIT_HOOKS
from lake.tables import Table
from schemas.errors import RetryableError


def raise_fence(table: Table, app: str, to: int, *, name: str, now_ms: int) -> None:
    """Raise the number of ``app`` in one commit to a table that has been refreshed.

    ``name`` is that of the table's property that changes with it. Raises RetryableError if it is
    not known whether it was raised: refresh the table and look.
    """
    try:
        table.handle.alter.set_table_properties(
            {f"goldpan.{name}": str(to)},
            raise_if_not_exists=False,
            commit_properties=CommitProperties(
                custom_metadata={"goldpan.fence": str(to)},
                app_transactions=[Transaction(app, to, now_ms)],
            ),
            post_commithook_properties=NO_POST_COMMIT_HOOKS,
        )
    except (DeltaError, OSError) as error:
        raise RetryableError(f"table {table.name}: not fenced ({describe_cause(error)})") from error
