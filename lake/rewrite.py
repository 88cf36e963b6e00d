"""Replaces files of a table with new ones, unless another program has replaced them first.

Compaction, retention, erasure and removing records from quarantine all do this. It is a
compare-and-swap on the removed files, as `lake.commit` is one on positions:

1. refresh the handle;
2. compare: each file to be removed must still be part of the table. If one is not, another program has
   replaced it, and the files made from it must not be used (FileReplacedError);
3. commit the removal of the old files, the new files, the positions (if any) and the ledger entry
   through the same handle, as the version that follows the compared one, or not at all.

delta-rs would move the commit past others that it considers harmless. But it does not notice that
two commits remove the same file if the first was a compaction (`dataChange` false), and the rows
would be in the table twice. So its retries are switched off, and each attempt compares again.

Concurrent appends cost another attempt, but no work is repeated. If two programs replace the same
file, one succeeds. If they replace different files, both succeed, one after the other.

| what fails | what is known | what happens |
|---|---|---|
| step 1 or 2 | nothing was sent | it is retried |
| step 3, any exception | the outcome is unknown: the commit may have landed | the log is read from the compared version on: a commit with this call's token is its own |
| the process dies in step 3 | the table has the old files, or the new ones | the next run starts by reading the table again; vacuum removes files that are in no table |
"""  # noqa: E501 - a table

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from lake.commit import commit, require_conditions, send_commit
from lake.delta_log import read_actions
from lake.schema_check import refuse_unknown_columns, unknown_columns
from lake.table_commit import CommitContext, TableCommit
from lake.table_log import REWRITE_TOKEN_KEY
from lake.tables import Table
from schemas.arrow import TABLES
from schemas.errors import FatalError, FencedError


class FileReplacedError(FencedError):
    """A file to be replaced has left the table: read the table again and start over."""


def replace_files(table: Table, change: TableCommit, context: CommitContext) -> None:
    """Replace ``change.removes`` with ``change.adds``, exactly once.

    The new files must have been uploaded. Raises FileReplacedError if another commit has replaced
    one of the old files (the new ones are removed then), FencedError if a number is not where the
    caller expects it: in both cases the table was not changed. Raises RetryableError if
    stopped, and FatalError if the lake fails for longer than ``context.retry`` allows. If the cause
    of either error is a CommitUnknownError, the commit may have landed: read the table again.
    """
    if not change.removes:
        raise ValueError("there is nothing to replace: use lake.commit to add rows")
    _Attempts(table, change, context).run()


def replace_or_add_files(table: Table, change: TableCommit, context: CommitContext) -> None:
    """Replace files, or only add some if none is removed.

    Errors as `replace_files` and `lake.commit.commit`.
    """
    if change.removes:
        replace_files(table, change, context)
    else:
        commit(table, change, context)


@dataclass(slots=True)
class _Attempts:
    """One call of `replace_files`, with the version from which its commit may have landed."""

    table: Table
    change: TableCommit
    context: CommitContext
    sent_after: int | None = None

    def run(self) -> None:
        _refuse_deletion_vectors(self.table)
        try:
            self.context.retry.call(f"replacing files of table {self.table.name}", self.attempt)
        except FileReplacedError:
            self._discard()
            raise

    def attempt(self) -> None:
        self.table.refresh()
        if self.sent_after is not None and self._landed(self.sent_after):
            self.context.watch.settled(self.table.name)
            return
        refuse_unknown_columns(
            self.table.name, unknown_columns(self.table.handle, TABLES[self.table.name].arrow)
        )
        self._compare()
        if self.sent_after is None:
            self.sent_after = self.table.handle.version()
        marked = replace(self.change, metadata={**self.change.metadata, **self._token()})
        send_commit(self.table, marked, self.context.watch, now_ms=self.context.now_ms())

    def _token(self) -> Mapping[str, str]:
        return {REWRITE_TOKEN_KEY: str(self.change.token)}

    def _discard(self) -> None:
        """Remove the new files: they may hold rows of a person who was erased in between.

        They can no longer be committed, since the rows that they replace have left the table. A
        file that is in the table was committed by another program with the same content.
        """
        active = set(self.table.active_files()["path"].to_pylist())
        what = f"removing files that came too late for table {self.table.name}"
        for file in self.change.adds:
            if file.path not in active:
                self.context.retry.call(what, partial(self.table.files.purge, file.path))

    def _compare(self) -> None:
        active = set(self.table.active_files()["path"].to_pylist())
        replaced = [file.path for file in self.change.removes if file.path not in active]
        if replaced:
            raise FileReplacedError(
                f"table {self.table.name}: {len(replaced)} of {len(self.change.removes)} files "
                f"were replaced by another commit, such as {replaced[0]}"
            )
        require_conditions(self.table, [*self.change.moves, *self.change.guards])

    def _landed(self, before: int) -> bool:
        """Search for the token in the commits since the version that this call began from."""
        for version in range(before + 1, self.table.handle.version() + 1):
            infos = read_actions(self.table.files, version, "commitInfo")
            if infos is None:
                raise FatalError(
                    f"table {self.table.name}: the log lacks version {version}, so it is not known "
                    "whether files were replaced. Keep logs longer "
                    "(delta.logRetentionDuration), and run the command again"
                )
            if any(self._token().items() <= info.items() for info in infos):
                return True
        return False


def _refuse_deletion_vectors(table: Table) -> None:
    """Refuse a table whose files may hold deleted rows: rewriting would bring them back."""
    if "deletionVectors" in (table.handle.protocol().reader_features or []):
        raise FatalError(
            f"table {table.name}: another program has switched deletion vectors on: "
            "purge them (REORG TABLE … APPLY (PURGE)) and drop the feature first"
        )
