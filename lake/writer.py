"""Writing a flush to one table: encode, upload, commit, as three steps that can fail apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from lake.commit import Move, Watch, commit
from lake.ledger import Entry, EntryKind, Incarnation, SourceRange
from lake.parquet import DataFile, encode
from lake.retry import Retry
from lake.tables import Table
from schemas.redacted import Redacted

CHECKPOINT_EVERY = 100  # versions


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files that lie in the object store but in no table yet."""

    table: Table
    files: Sequence[DataFile]

    @property
    def bytes(self) -> int:
        """Return the encoded size."""
        return sum(len(file.data) for file in self.files)


class TableWriter:
    """Brings flushes into one table."""

    def __init__(
        self, table: Table, *, retry: Retry, watch: Watch, now_ms: Callable[[], int]
    ) -> None:
        self.table = table
        self._retry = retry
        self._watch = watch
        self._now_ms = now_ms

    def prepare(
        self, batches: Sequence[Redacted[pa.RecordBatch]], ranges: Sequence[SourceRange]
    ) -> Prepared:
        """Encode the rows and upload the files. May be repeated; nothing is visible yet.

        Raises FatalError if the store does not answer in time, RetryableError if told to stop.
        """
        for sealed in batches:
            if not isinstance(sealed, Redacted):
                raise TypeError("a table takes redacted rows only")
        files = encode(batches, ranges=ranges, layout=self.table.layout)
        for file in files:
            self._retry.call(
                f"writing to table {self.table.name}",
                lambda file=file: self.table.files.put(file.path, file.data),  # type: ignore[misc]
            )
        return Prepared(self.table, files)

    def commit(
        self,
        prepared: Prepared,
        moves: Sequence[Move],
        ranges: Sequence[SourceRange],
        incarnations: Mapping[str, Incarnation],
    ) -> bool:
        """Make the files visible and move the positions; see `lake.commit.commit`."""
        return commit(
            self.table.handle,
            table=self.table.name,
            files=prepared.files,
            moves=moves,
            entry=Entry(EntryKind.FLUSH, ranges, incarnations),
            retry=self._retry,
            watch=self._watch,
            now_ms=self._now_ms,
        )

    def checkpoint_if_due(self) -> bool:
        """Write a checkpoint if this writer's commit made a version that is a multiple of 100.

        Exactly one writer makes any given version, so there is one owner without agreement.
        Raises RetryableError if it fails, which harms nobody: the next hundred will do.
        """
        self.table.refresh()
        version = self.table.handle.version()
        if version == 0 or version % CHECKPOINT_EVERY:
            return False
        self.table.checkpoint()
        return True
