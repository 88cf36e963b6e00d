"""Writes a flush to one table: encode, upload, commit, as three steps that can fail separately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lake.commit import commit, require_conditions
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourceRange
from lake.parquet import DataFile, encode_files
from lake.table_commit import Ceiling, CommitContext, Condition, Move, TableCommit
from lake.tables import Table
from schemas.redacted import Redacted

CHECKPOINT_EVERY = 20  # versions: reading a position reads all commits since the checkpoint


@dataclass(frozen=True, slots=True)
class PreparedFiles:
    """Files that were uploaded and are in no table yet."""

    table: Table
    files: Sequence[DataFile]

    @property
    def bytes(self) -> int:
        """Return the encoded size."""
        return sum(len(file.data) for file in self.files)


@dataclass(frozen=True, slots=True)
class FlushPart:
    """One table's part of a flush: the moves, guards, ranges and further metadata of its commit."""

    moves: Sequence[Move] = ()
    guards: Sequence[Condition] = ()
    ranges: Sequence[SourceRange] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


class TableWriter:
    """Writes flushes to one table."""

    def __init__(self, table: Table, context: CommitContext) -> None:
        self.table = table
        self._context = context

    def check_ceilings(self, conditions: Sequence[Condition]) -> None:
        """Raise FencedError if a ceiling has been passed, so that no erased row is uploaded.

        The commit compares again; this check only avoids files that could not be committed.
        Otherwise as `prepare`.
        """
        ceilings = [condition for condition in conditions if isinstance(condition, Ceiling)]

        def attempt() -> None:
            self.table.refresh()
            require_conditions(self.table, ceilings)

        if ceilings:
            self._context.retry.call(f"reading table {self.table.name}", attempt)

    def prepare(
        self, batches: Sequence[Redacted[pa.RecordBatch]], ranges: Sequence[SourceRange]
    ) -> PreparedFiles:
        """Encode the rows and upload the files. May be repeated; nothing is visible yet.

        Raises FatalError if the store fails for too long, RetryableError if stopped.
        """
        for sealed in batches:
            if not isinstance(sealed, Redacted):
                raise TypeError("a table takes redacted rows only")
        files = encode_files(batches, ranges=ranges, layout=self.table.layout)
        for file in files:
            self._context.retry.call(
                f"writing to table {self.table.name}",
                lambda file=file: self.table.files.put(file.path, file.data),  # type: ignore[misc]
            )
        return PreparedFiles(self.table, files)

    def commit(
        self,
        prepared: PreparedFiles,
        part: FlushPart,
        *,
        token: int,
        incarnations: Mapping[str, Incarnation],
    ) -> bool:
        """Make the files visible and move the positions; see `lake.commit.commit`."""
        entry = LedgerEntry(EntryKind.FLUSH, part.ranges, incarnations)
        return self._commit(prepared.files, part, token, entry)

    def claim(
        self, part: FlushPart, *, token: int, incarnations: Mapping[str, Incarnation]
    ) -> bool:
        """Claim partitions: a worker that took them over before can no longer commit to them."""
        entry = LedgerEntry(EntryKind.CLAIM, part.ranges, incarnations)
        return self._commit([], part, token, entry)

    def _commit(
        self,
        files: Sequence[DataFile],
        part: FlushPart,
        token: int,
        entry: LedgerEntry,
    ) -> bool:
        change = TableCommit(
            entry=entry,
            token=token,
            moves=part.moves,
            guards=part.guards,
            adds=files,
            metadata=part.metadata,
        )
        return commit(self.table, change, self._context)

    def checkpoint_if_due(self) -> bool:
        """Write a checkpoint if this writer's commit made a version that is a multiple of 20.

        Exactly one writer makes any given version, so no agreement is needed. Raises RetryableError
        if it fails, which does no harm: the next one replaces it.
        """
        self.table.refresh()
        version = self.table.handle.version()
        if version == 0 or version % CHECKPOINT_EVERY:
            return False
        self.table.checkpoint()
        return True
