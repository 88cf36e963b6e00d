"""The exactly-once commit: files and positions enter a table together, or not at all.

The table's own log holds the position of each source partition as the version of a Delta
application transaction (Delta protocol, "Transaction Identifiers"). A commit is

1. refresh the handle, so that it stands at the newest version;
2. compare: each position must be the one this buffer starts from. If all are where this commit
   would put them, *and bear its token*, it has landed before; if any is elsewhere, or belongs to
   another incarnation of the topic, somebody else owns that partition and the buffer is void
   (FencedError);
3. append the files, the new positions, the token and the ledger entry in one commit *through the
   same handle*. delta-rs refuses it if another commit has touched a position since step 1.

The token is a random number for each flush, kept beside each position that it moved. Without it,
two owners whose buffers happen to end at the same offset could each take the other's commit for
their own.

| what fails | what is then known | what happens |
|---|---|---|
| step 1 or 2 | nothing was sent | tried again |
| step 3, any exception | the outcome is unknown: it may have landed | back to step 1, which tells |
| the process dies in step 3 | the next owner's step 1 tells | it goes on from there |
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Protocol

from deltalake import CommitProperties, PostCommitHookProperties, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from lake.causes import describe_cause
from lake.file_hashes import file_hash_metadata
from lake.ledger import (
    EntryKind,
    LedgerEntry,
    SourcePartition,
    epoch_app,
    epoch_at_app,
    incarnation_app,
    position_app,
    token_app,
)
from lake.parquet import PARTITION_COLUMN, partition_values
from lake.retry import Retry
from schemas.errors import CommitUnknownError, FencedError, RetryableError

CONFLICT_RETRIES = 100  # commits of other partitions' owners that one commit gives way to


NO_POST_COMMIT_HOOKS: Final = PostCommitHookProperties(
    create_checkpoint=False, cleanup_expired_logs=False
)
"""What delta-rs does after a commit of ours: checkpoints are written when they are due, and logs,
which hold the ledger, are not its to remove."""


class CommitHandle(Protocol):
    """The part of ``deltalake.DeltaTable`` that a commit uses."""

    def update_incremental(self) -> None:
        """Read the log up to its newest version."""

    def transaction_version(self, app_id: str) -> int | None:
        """Return the version of an application transaction."""

    def schema(self) -> Any:
        """Return the table's schema."""

    def version(self) -> int:
        """Return the version that the handle stands at."""

    def create_write_transaction(self, *args: Any, **kwargs: Any) -> None:
        """Commit actions."""


class AddableFile(Protocol):
    """What the log says of a file that is added; see `lake.parquet.DataFile`."""

    @property
    def path(self) -> str:
        """Return the path, relative to the table."""

    @property
    def size(self) -> int:
        """Return the size in bytes."""

    @property
    def day(self) -> date:
        """Return the day that its rows are stored under."""

    @property
    def stats(self) -> str:
        """Return Delta's JSON of statistics."""

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes, as hex digits."""


@dataclass(frozen=True, slots=True)
class Move:
    """A position that a commit moves: from ``expected`` (None: there is none yet) to ``to``.

    ``app`` is the application id that holds it in the table; ``to`` must differ from ``expected``,
    or a commit could not be told from no commit.
    """

    app: str
    expected: int | None
    to: int

    def holds(self, found: int | None) -> bool:
        """Tell whether a commit may be made."""
        return found == self.expected


@dataclass(frozen=True, slots=True)
class Guard:
    """A number that a commit leaves as it is, and that nobody may change meanwhile."""

    app: str
    expected: int | None

    def holds(self, found: int | None) -> bool:
        """Tell whether a commit may be made."""
        return found == self.expected


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A number that must not have passed ``most`` (none counts as 0) when a commit is made.

    Many rest on it and hardly anybody raises it, so it is compared and not written. Who raises it
    must change the table's metadata in the same commit: delta-rs then refuses a commit that was
    compared before and sent after.
    """

    app: str
    most: int

    def holds(self, found: int | None) -> bool:
        """Tell whether a commit may be made."""
        return (found or 0) <= self.most


Condition = Guard | Ceiling


@dataclass(frozen=True, slots=True)
class CommitWatch:
    """What the caller is told while a commit is under way; for metrics, logs and fault tests."""

    unknown: Callable[[str, BaseException], None] = lambda _table, _error: None
    settled: Callable[[str], None] = lambda _table: None


def commit(  # noqa: PLR0913 - each argument is one part of the protocol
    handle: CommitHandle,
    *,
    table: str,
    files: Sequence[AddableFile],
    moves: Sequence[Move],
    token: int,
    entry: LedgerEntry,
    retry: Retry,
    watch: CommitWatch,
    now_ms: Callable[[], int],
    guards: Sequence[Condition] = (),
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> bool:
    """Bring files and positions into ``table`` exactly once.

    Returns True if this call's own request did it for certain, False if the position showed that it
    had landed already (a repeated call, or a reply that was lost).

    ``moves`` must not be empty: without a position nothing could tell whether a commit landed.
    ``token`` is a random number in [0, 2**63), the same when the same flush is tried again.
    ``metadata`` is put beside the ledger entry and the hashes of the files.

    Raises FencedError if a position is not where the caller believes, RetryableError if told to
    stop, FatalError if the lake did not answer within the time that ``retry`` allows.
    """
    at = now_ms()

    def attempt() -> bool:
        refresh_handle(handle, table)
        if _landed(handle, table, moves, guards, token):
            watch.settled(table)
            return False
        _same_topics(handle, table, entry)
        send_commit(
            handle,
            table,
            files=files,
            moves=moves,
            guards=guards,
            token=token,
            entry=entry,
            watch=watch,
            now_ms=at,
            metadata=metadata,
        )
        return True

    return retry.call(f"committing to table {table}", attempt)


def send_commit(  # noqa: PLR0913 - each argument is one part of a commit
    handle: CommitHandle,
    table: str,
    removals: Sequence[RemoveAction] = (),
    *,
    files: Sequence[AddableFile],
    moves: Sequence[Move],
    guards: Sequence[Condition],
    token: int,
    entry: LedgerEntry,
    watch: CommitWatch,
    now_ms: int,
    data_change: bool = True,
    metadata: Mapping[str, str] = MappingProxyType({}),
    conflict_retries: int = CONFLICT_RETRIES,
) -> None:
    """Send one commit through a handle that was compared; raises UnsettledError if it fails.

    With ``conflict_retries`` above 0 delta-rs puts the commit behind those of others that it takes
    for harmless; with 0 it fails if there is any.
    """
    additions = [
        AddAction(
            path=file.path,
            size=file.size,
            partition_values=partition_values(file.day),
            modification_time=now_ms,
            data_change=data_change,
            stats=file.stats,
        )
        for file in files
    ]
    try:
        handle.create_write_transaction(
            [*removals, *additions],
            "append",
            handle.schema(),
            partition_by=[PARTITION_COLUMN],
            commit_properties=CommitProperties(
                custom_metadata={**entry.to_metadata(), **file_hash_metadata(files), **metadata},
                max_commit_retries=conflict_retries,
                app_transactions=_transactions(handle, moves, guards, token, entry),
            ),
            post_commithook_properties=NO_POST_COMMIT_HOOKS,
        )
    except (DeltaError, OSError) as error:
        watch.unknown(table, error)
        raise UnsettledError(f"table {table}: commit unknown ({describe_cause(error)})") from error


class UnsettledError(CommitUnknownError, RetryableError):
    """A commit whose outcome is found by trying again: the first steps of an attempt read it."""


def refresh_handle(handle: CommitHandle, table: str) -> None:
    """Bring a handle to the newest version; RetryableError if the lake does not answer."""
    try:
        handle.update_incremental()
    except (DeltaError, OSError) as error:
        raise RetryableError(
            f"table {table}: log not readable ({describe_cause(error)})"
        ) from error


def read_txn_version(handle: CommitHandle, table: str, app: str) -> int | None:
    """Return the number under an application id, as of the version that the handle stands at.

    delta-rs reads the log again for it: RetryableError if the lake does not answer.
    """
    try:
        return handle.transaction_version(app)
    except (DeltaError, OSError) as error:
        raise RetryableError(
            f"table {table}: log not readable ({describe_cause(error)})"
        ) from error


def read_positions(
    handle: CommitHandle, table: str, sources: Sequence[SourcePartition]
) -> Mapping[SourcePartition, int | None]:
    """Return the position of each source; otherwise as `read_txn_version`."""
    return {source: read_txn_version(handle, table, position_app(source)) for source in sources}


def _landed(
    handle: CommitHandle, table: str, moves: Sequence[Move], guards: Sequence[Condition], token: int
) -> bool:
    """Tell whether this commit has been made; FencedError if it cannot be made any more."""
    conditions: list[Move | Condition] = [*moves, *guards]
    found = {c.app: read_txn_version(handle, table, c.app) for c in conditions}
    if all(
        found[m.app] == m.to and read_txn_version(handle, table, token_app(m.app)) == token
        for m in moves
    ):
        return True
    _fence(table, conditions, found)
    return False


def require_conditions(
    handle: CommitHandle, table: str, conditions: Sequence[Move | Condition]
) -> None:
    """Raise FencedError if a number is not where a commit expects it."""
    _fence(table, conditions, {c.app: read_txn_version(handle, table, c.app) for c in conditions})


def _fence(
    table: str, conditions: Sequence[Move | Condition], found: Mapping[str, int | None]
) -> None:
    strays = [c for c in conditions if not c.holds(found[c.app])]
    erased = [c for c in strays if isinstance(c, Ceiling)]
    if erased:
        listed = ", ".join(f"{c.app} is at {found[c.app]}, not {c.most}" for c in erased)
        raise FencedError(f"table {table}: rows that this rests on went meanwhile ({listed})")
    moved = [c for c in strays if not isinstance(c, Ceiling)]
    if moved:
        listed = ", ".join(f"{c.app} is at {found[c.app]}, not {c.expected}" for c in moved)
        raise FencedError(f"table {table}: another worker has moved the position ({listed})")


def _same_topics(handle: CommitHandle, table: str, entry: LedgerEntry) -> None:
    """Raise FencedError if the positions belong to another incarnation: only adopting changes it.

    A worker that was stopped while its topic was adopted could find its old numbers again.
    """
    if entry.kind is EntryKind.ADOPT:
        return
    for topic, incarnation in entry.incarnations.items():
        recorded = read_txn_version(handle, table, incarnation_app(topic))
        if recorded not in (None, incarnation.version()):
            raise FencedError(f"table {table}: the positions are of another incarnation of {topic}")


def _transactions(
    handle: CommitHandle,
    moves: Sequence[Move],
    guards: Sequence[Condition],
    token: int,
    entry: LedgerEntry,
) -> list[Transaction]:
    transactions = [Transaction(m.app, m.to) for m in moves]
    transactions += [Transaction(token_app(m.app), token) for m in moves]
    # Written again as it is, a guard makes delta-rs see a commit of others that changes it.
    transactions += [
        Transaction(g.app, g.expected)
        for g in guards
        if isinstance(g, Guard) and g.expected is not None
    ]
    transactions += [
        Transaction(app, number)
        for item in entry.ranges
        if item.epoch is not None
        for app, number in (
            (epoch_app(item.source), item.epoch),
            (epoch_at_app(item.source), item.end),
        )
    ]
    # Only when it is new: two owners of one topic would otherwise be in each other's way.
    return transactions + [
        Transaction(incarnation_app(topic), incarnation.version())
        for topic, incarnation in entry.incarnations.items()
        if handle.transaction_version(incarnation_app(topic)) != incarnation.version()
    ]
