"""Replacing files of a table by others, if nobody has replaced one of them meanwhile.

Compaction, retention, erasure and taking records out of quarantine all do this. It is a
compare-and-swap on the files that go, as `lake.commit` is one on positions:

1. refresh the handle;
2. compare: each file that is to go must still be part of the table. One that is not was replaced by
   somebody else, and what was made of it is void (ReplacedError);
3. commit the removal of the old files, the new ones, the positions (if any) and the ledger entry
   through the same handle, as the version that follows the one compared with, or not at all.

delta-rs would put a commit behind those of others that it takes for harmless, but it does not see
that two commits remove the same file when the first was a compaction (`dataChange` false): the rows
would be there twice. So it is told not to try, and each attempt compares anew.

Appends of others, before or after, cost another attempt and no work. Of two that replace the same
file one wins, whoever it is; two that replace different files both succeed, one after the other.

| what fails | what is then known | what happens |
|---|---|---|
| step 1 or 2 | nothing was sent | tried again |
| step 3, any exception | the outcome is unknown: it may have landed | the log is read from there on: a commit that bears this call's token is ours |
| the process dies in step 3 | the old files are in the table, or the new ones are | who comes next looks at the table, as the first did; files that no table knows are removed by vacuum |
"""  # noqa: E501 - a table

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from deltalake.transaction import RemoveAction

from lake.commit import CommitWatch, Condition, Move, commit, require_conditions, send_commit
from lake.delta_log import read_actions
from lake.ledger import LedgerEntry
from lake.live_files import LiveFile, UploadedFile
from lake.parquet import partition_values
from lake.retry import Retry
from lake.schema_check import refuse_unknown_columns, unknown_columns
from lake.tables import Table
from schemas.arrow import TABLES
from schemas.errors import FatalError, FencedError

_NOTHING: Mapping[str, str] = MappingProxyType({})
REWRITE_TOKEN_KEY = "goldpan.rewrite"  # noqa: S105 - the name of an entry in a commit's metadata


class FileReplacedError(FencedError):
    """A file that was to be replaced is not in the table any more: look again and begin anew."""


@dataclass(frozen=True, slots=True)
class FileReplacement:
    """What goes, what comes, and what the commit says of it.

    ``token`` is a random number in [0, 2**63). ``same_rows`` promises that the new files hold the
    rows of the old ones and no others (compaction): who follows the table's changes then passes the
    commit over. ``moves`` and ``guards`` are as in `lake.commit`.
    """

    old: Sequence[LiveFile]
    new: Sequence[UploadedFile]
    entry: LedgerEntry
    token: int
    same_rows: bool = False
    moves: Sequence[Move] = ()
    guards: Sequence[Condition] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.old:
            raise ValueError("a replacement needs files that go: for new rows there is commit()")
        before, after = (sum(file.rows for file in files) for files in (self.old, self.new))
        if self.same_rows and before != after:
            raise ValueError(f"the same rows were promised, but {before} go and {after} come")


def replace_files(
    table: Table,
    wanted: FileReplacement,
    *,
    retry: Retry,
    now_ms: Callable[[], int],
    watch: CommitWatch | None = None,
) -> None:
    """Put the new files in the place of the old ones, exactly once.

    The new files must have been uploaded. Raises ReplacedError if another has replaced one of the
    old files (the new ones are removed then), FencedError if a position is not where the caller
    believes: in both cases nothing was changed. RetryableError if told to stop, FatalError if the
    lake did not answer within the time that ``retry`` allows: the table must then be looked at
    again, since the commit may have landed.
    """
    _Attempts(table, wanted, now_ms, watch or CommitWatch()).run(retry)


def replace_or_add_files(  # noqa: PLR0913 - each argument is one part of a commit
    table: Table,
    old: Sequence[LiveFile],
    new: Sequence[UploadedFile],
    *,
    moves: Sequence[Move],
    guards: Sequence[Condition],
    entry: LedgerEntry,
    token: int,
    retry: Retry,
    now_ms: Callable[[], int],
    metadata: Mapping[str, str] = _NOTHING,
) -> None:
    """Put new files in the place of old ones as `replace_files` does, or add them where none go.

    ``moves`` must not be empty. Errors as `replace_files` and `lake.commit.commit`.
    """
    if old:
        wanted = FileReplacement(
            old, new, entry, token, moves=moves, guards=guards, metadata=metadata
        )
        replace_files(table, wanted, retry=retry, now_ms=now_ms)
        return
    commit(
        table.handle,
        table=table.name,
        files=new,
        moves=moves,
        guards=guards,
        token=token,
        entry=entry,
        retry=retry,
        watch=CommitWatch(),
        now_ms=now_ms,
        metadata=metadata,
    )


@dataclass(slots=True)
class _Attempts:
    """One call of `replace_files`: remembers the first version that its commit may have."""

    table: Table
    wanted: FileReplacement
    now_ms: Callable[[], int]
    watch: CommitWatch
    sent_after: int | None = None

    def run(self, retry: Retry) -> None:
        _refuse_deletion_vectors(self.table)
        try:
            retry.call(f"replacing files of table {self.table.name}", self.attempt)
        except FileReplacedError:
            self._discard(retry)
            raise

    def attempt(self) -> None:
        self.table.refresh()
        if self.sent_after is not None and self._landed(self.sent_after):
            self.watch.settled(self.table.name)
            return
        refuse_unknown_columns(
            self.table.name, unknown_columns(self.table.handle, TABLES[self.table.name].arrow)
        )
        self._compare()
        if self.sent_after is None:
            self.sent_after = self.table.handle.version()
        send_commit(
            self.table.handle,
            self.table.name,
            [*_removals(self.wanted, self.now_ms())],
            files=self.wanted.new,
            moves=self.wanted.moves,
            guards=self.wanted.guards,
            token=self.wanted.token,
            entry=self.wanted.entry,
            watch=self.watch,
            now_ms=self.now_ms(),
            data_change=not self.wanted.same_rows,
            conflict_retries=0,
            metadata={**self.wanted.metadata, REWRITE_TOKEN_KEY: str(self.wanted.token)},
        )

    def _discard(self, retry: Retry) -> None:
        """Remove the new files: rows of somebody who was erased meanwhile may be in them.

        Nobody can commit them any more, since what they stand for has left the table. One that is
        in the table was committed by another who did the same.
        """
        there = set(self.table.active_files()["path"].to_pylist())
        for file in self.wanted.new:
            if file.path not in there:
                what = f"removing files that came too late for table {self.table.name}"
                retry.call(what, partial(self.table.files.purge, file.path))

    def _compare(self) -> None:
        there = set(self.table.active_files()["path"].to_pylist())
        gone = [file.path for file in self.wanted.old if file.path not in there]
        if gone:
            raise FileReplacedError(
                f"table {self.table.name}: {len(gone)} of {len(self.wanted.old)} files were "
                f"replaced by another meanwhile, such as {gone[0]}"
            )
        require_conditions(
            self.table.handle, self.table.name, [*self.wanted.moves, *self.wanted.guards]
        )

    def _landed(self, before: int) -> bool:
        """Look for the token in the commits since the one that this call began from."""
        for version in range(before + 1, self.table.handle.version() + 1):
            said = read_actions(self.table.files, version, "commitInfo")
            if said is None:
                raise FatalError(
                    f"table {self.table.name}: the log lacks version {version}, so it cannot be "
                    "told whether files were replaced. Keep logs for longer "
                    "(delta.logRetentionDuration), and run the command again"
                )
            if any(info.get(REWRITE_TOKEN_KEY) == str(self.wanted.token) for info in said):
                return True
        return False


def _removals(wanted: FileReplacement, now_ms: int) -> list[RemoveAction]:
    return [
        RemoveAction(
            path=file.path,
            data_change=not wanted.same_rows,
            deletion_timestamp=now_ms,
            size=file.bytes,
            partition_values=dict(partition_values(file.day)),
        )
        for file in wanted.old
    ]


def _refuse_deletion_vectors(table: Table) -> None:
    """Refuse a table whose files may hold rows that count as deleted: they would come back."""
    if "deletionVectors" in (table.handle.protocol().reader_features or []):
        raise FatalError(
            f"table {table.name}: deletion vectors have been switched on by another program; "
            "purge them (REORG TABLE … APPLY (PURGE)) and drop the feature first"
        )
