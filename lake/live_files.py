"""The live files of a table: lists, reads, filters and sorts their rows, writes new files.

Stored rows need no second redaction: only a file of a table, or other stored rows, can make them
(`read_file_rows`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b

import pyarrow as pa

from lake.file_reader import read_file
from lake.parquet import PARTITION_COLUMN, DataFile, encode_day
from lake.retry import Retry
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Table
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file of a table. ``bytes`` is its size, ``path`` is relative to the table."""

    path: str
    day: date
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that was uploaded and is in no table yet; otherwise as `DataFile`."""

    path: str
    size: int
    rows: int
    day: date
    stats: str
    sha256: str


@dataclass(frozen=True, slots=True, repr=False)
class StoredRows:
    """Rows of one table and one day, with all columns but that of the day."""

    name: str
    day: date
    rows: pa.Table

    def __len__(self) -> int:
        return len(self.rows)

    def filter(self, mask: pa.ChunkedArray | pa.Array) -> "StoredRows":
        """Return the rows for which a mask is true; null counts as false."""
        return StoredRows(self.name, self.day, self.rows.filter(mask))

    def sorted_by(self, *columns: str) -> "StoredRows":
        """Return the rows in ascending order of columns."""
        order = [(column, "ascending") for column in columns]
        return StoredRows(self.name, self.day, self.rows.sort_by(order))


def concat_rows(parts: Sequence[StoredRows]) -> StoredRows:
    """Concatenate rows of one table and one day; there must be at least one part."""
    first = parts[0]
    if any((part.name, part.day) != (first.name, first.day) for part in parts):
        raise ValueError("a file holds rows of one table and one day only")
    return StoredRows(first.name, first.day, pa.concat_tables([part.rows for part in parts]))


def list_live_files(table: Table) -> list[LiveFile]:
    """Return the files of a table as of its last refresh, in order of path.

    Raises FatalError if the log does not say how many rows a file holds.
    """
    active = table.active_files()
    if not len(active):
        return []
    if active["num_records"].null_count:
        raise FatalError(f"table {table.name}: some files do not record how many rows they hold")
    columns = ("path", f"partition.{PARTITION_COLUMN}", "num_records", "size_bytes")
    return sorted(
        (LiveFile(*row) for row in zip(*(active[c].to_pylist() for c in columns), strict=True)),
        key=lambda file: file.path,
    )


def read_file_rows(table: Table, file: LiveFile) -> StoredRows:
    """Read a whole file of a table, in the types of the table.

    Raises RetryableError or FatalError if the store cannot be read.
    """
    rows = read_file(table.files.get(file.path), table.name)
    return StoredRows(table.name, file.day, rows)


def rewrite_rows(
    table: Table, rows: StoredRows, *, instead_of: Sequence[LiveFile], retry: Retry
) -> UploadedFile:
    """Encode rows as flushes do, and upload them; the file is in no table yet.

    The same rows, replacing the same files, give the same name and bytes. Raises FatalError if the
    store fails for too long, RetryableError if stopped.
    """
    if rows.name != table.name:
        raise ValueError(f"rows of table {rows.name} cannot be written to table {table.name}")
    body = "\n".join(sorted(file.path for file in instead_of))
    name = blake2b(body.encode(), digest_size=8).hexdigest()
    chunk = rows.rows.combine_chunks()
    return upload_file(table, encode_day(chunk, rows.day, name, TABLE_LAYOUTS[table.name]), retry)


def upload_file(table: Table, file: DataFile, retry: Retry) -> UploadedFile:
    """Upload an encoded file; errors as `rewrite_rows`."""
    retry.call(f"writing to table {table.name}", lambda: table.files.put(file.path, file.data))
    return UploadedFile(file.path, file.size, file.rows, file.day, file.stats, file.sha256)
