"""The exactly-once commit: files and positions enter a table together, or not at all.

The table's own log holds the position of each source partition as the version of a Delta
application transaction (Delta protocol, "Transaction Identifiers"). A commit is

1. refresh the handle, so that it is at the newest version;
2. compare: each position must be the one this buffer starts from. If all are where this commit
   would put them, *and bear its token*, the commit has landed before. If any is elsewhere, or
   belongs to another incarnation of the topic, another worker owns that partition and the buffer is
   discarded (FencedError);
3. append the files, the new positions, the token and the ledger entry in one commit *through the
   same handle*. delta-rs refuses it if another commit has touched a position since step 1.

The token is a random number for each flush, kept beside each position that it moved. Without it,
two owners whose buffers happen to end at the same offset could each take the other's commit for
their own.

| what fails | what is known | what happens |
|---|---|---|
| step 1 or 2 | nothing was sent | it is retried |
| step 3, any exception | the outcome is unknown: the commit may have landed | step 1 is repeated and shows the outcome |
| the process dies in step 3 | the next owner's step 1 shows the outcome | the next owner continues from there |
"""  # noqa: E501 - a table

from collections.abc import Mapping, Sequence
from typing import Final

from deltalake import CommitProperties, PostCommitHookProperties, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from lake.causes import describe_cause
from lake.file_hashes import file_hash_metadata
from lake.ledger import EntryKind, LedgerEntry
from lake.parquet import PARTITION_COLUMN, partition_values
from lake.table_commit import (
    Ceiling,
    CommitContext,
    CommitWatch,
    Condition,
    Guard,
    Move,
    TableCommit,
)
from lake.table_log import epoch_app, epoch_at_app, incarnation_app, token_app
from lake.tables import Table
from schemas.errors import CommitUnknownError, FencedError

CONFLICT_RETRIES: Final = 100
"""How many commits by other partitions' owners may overtake a commit before it fails."""

NO_POST_COMMIT_HOOKS: Final = PostCommitHookProperties(
    create_checkpoint=False, cleanup_expired_logs=False
)
"""What delta-rs does after a commit: nothing. Checkpoints are written when they are due, and logs
hold the ledger, so delta-rs must not remove them."""


def commit(table: Table, change: TableCommit, context: CommitContext) -> bool:
    """Commit files and numbers to a table exactly once; `lake.rewrite` removes files.

    Returns True if this call's own request certainly did it, False if the numbers showed that it
    had landed already (a repeated call, or a reply that was lost).

    Raises FencedError if a number is not where the caller expects it: nothing was changed. Raises
    RetryableError if stopped, and FatalError if the lake fails for longer than
    ``context.retry`` allows. If the cause of either is a CommitUnknownError, the commit may have
    landed.
    """
    if change.removes:
        raise ValueError("use lake.rewrite for a commit that removes files")
    now_ms = context.now_ms()

    def attempt() -> bool:
        table.refresh()
        if _landed(table, change):
            context.watch.settled(table.name)
            return False
        _require_same_topics(table, change.entry)
        send_commit(table, change, context.watch, now_ms=now_ms)
        return True

    return context.retry.call(f"committing to table {table.name}", attempt)


def send_commit(table: Table, change: TableCommit, watch: CommitWatch, *, now_ms: int) -> None:
    """Send one commit through a handle that was compared.

    delta-rs moves a commit that only adds files past those of others that cannot conflict with it.
    One that removes files fails if there is any other commit (`lake.rewrite`).

    Raises CommitUnknownError if the request fails.
    """
    try:
        table.handle.create_write_transaction(
            [*_removals(change, now_ms), *_additions(change, now_ms)],
            "append",
            table.handle.schema(),
            partition_by=[PARTITION_COLUMN],
            commit_properties=CommitProperties(
                custom_metadata={
                    **change.entry.to_metadata(),
                    **file_hash_metadata(change.adds),
                    **change.metadata,
                },
                max_commit_retries=0 if change.removes else CONFLICT_RETRIES,
                app_transactions=_transactions(table, change),
            ),
            post_commithook_properties=NO_POST_COMMIT_HOOKS,
        )
    except (DeltaError, OSError) as error:
        watch.unknown(table.name, error)
        raise CommitUnknownError(
            f"table {table.name}: the outcome of a commit is unknown ({describe_cause(error)})"
        ) from error


def _additions(change: TableCommit, now_ms: int) -> list[AddAction]:
    return [
        AddAction(
            path=file.path,
            size=file.size,
            partition_values=partition_values(file.day),
            modification_time=now_ms,
            data_change=not change.same_rows,
            stats=file.stats,
        )
        for file in change.adds
    ]


def _removals(change: TableCommit, now_ms: int) -> list[RemoveAction]:
    return [
        RemoveAction(
            path=file.path,
            data_change=not change.same_rows,
            deletion_timestamp=now_ms,
            size=file.bytes,
            partition_values=dict(partition_values(file.day)),
        )
        for file in change.removes
    ]


def _landed(table: Table, change: TableCommit) -> bool:
    """Return whether the commit has been made; FencedError if it cannot be made any more."""
    conditions: list[Move | Condition] = [*change.moves, *change.guards]
    current = {c.app: table.txn_version(c.app) for c in conditions}
    if all(
        current[move.app] == move.to and table.txn_version(token_app(move.app)) == change.token
        for move in change.moves
    ):
        return True
    _fence(table.name, conditions, current)
    return False


def require_conditions(table: Table, conditions: Sequence[Move | Condition]) -> None:
    """Raise FencedError if a number is not where a commit expects it."""
    _fence(table.name, conditions, {c.app: table.txn_version(c.app) for c in conditions})


def _fence(
    table: str, conditions: Sequence[Move | Condition], current: Mapping[str, int | None]
) -> None:
    broken = [c for c in conditions if not c.holds(current[c.app])]
    ceilings = [c for c in broken if isinstance(c, Ceiling)]
    if ceilings:
        listed = ", ".join(f"{c.app} is at {current[c.app]}, not {c.most}" for c in ceilings)
        raise FencedError(
            f"table {table}: rows that this commit rests on were removed before it ({listed})"
        )
    moved = [c for c in broken if not isinstance(c, Ceiling)]
    if moved:
        listed = ", ".join(f"{c.app} is at {current[c.app]}, not {c.expected}" for c in moved)
        raise FencedError(f"table {table}: another worker has moved the position ({listed})")


def _require_same_topics(table: Table, entry: LedgerEntry) -> None:
    """Raise FencedError if the positions belong to another incarnation: only adopting changes it.

    A worker that was stopped while its topic was adopted could find its old numbers again.
    """
    if entry.kind is EntryKind.ADOPT:
        return
    for topic, incarnation in entry.incarnations.items():
        recorded = table.incarnation_version(topic)
        if recorded not in (None, incarnation.version()):
            raise FencedError(
                f"table {table.name}: the positions are of another incarnation of {topic}"
            )


def _transactions(table: Table, change: TableCommit) -> list[Transaction]:
    transactions = [Transaction(move.app, move.to) for move in change.moves]
    transactions += [Transaction(token_app(move.app), change.token) for move in change.moves]
    # A guard is written again with its own value, so that delta-rs sees another commit change it.
    transactions += [
        Transaction(guard.app, guard.expected)
        for guard in change.guards
        if isinstance(guard, Guard) and guard.expected is not None
    ]
    transactions += [
        Transaction(app, value)
        for item in change.entry.ranges
        if item.epoch is not None
        for app, value in (
            (epoch_app(item.source), item.epoch),
            (epoch_at_app(item.source), item.end),
        )
    ]
    # Only when it is new: two owners of one topic would otherwise conflict with each other.
    return transactions + [
        Transaction(incarnation_app(topic), incarnation.version())
        for topic, incarnation in change.entry.incarnations.items()
        if table.handle.transaction_version(incarnation_app(topic)) != incarnation.version()
    ]
