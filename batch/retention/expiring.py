"""What is due in a table: rows of days that are over, and values that should be gone from others.

Whether a file still holds values is seen by reading the columns that they stand in, and only for
days that are due. Where they have gone already, these columns hold next to nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.retention.values import fields_of_class, find_values
from lake.ledger import SourcePartition
from lake.live_files import LiveFile, list_live_files
from lake.parquet import PARTITION_COLUMN
from lake.retention_horizon import ROWS_PART
from lake.tables import FILE_COLUMN, Table
from schemas.arrow import TABLES

_AT_ONCE: Final = 1_024  # rows whose texts are in memory at once


@dataclass(frozen=True, slots=True)
class ExpiringAmount:
    """How much expires: rows, and bytes. Of rows the size of their files, of values their own."""

    rows: int = 0
    bytes: int = 0

    def __add__(self, other: "ExpiringAmount") -> "ExpiringAmount":
        return ExpiringAmount(self.rows + other.rows, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class ExpiringDay:
    """What is due of one day of a table, in one commit.

    ``parts`` are ``rows``, or classes of values, with how much of each there is in ``files``;
    ``counts`` how many rows of each source partition go.
    """

    table: str
    day: date
    files: Sequence[LiveFile]
    parts: Mapping[str, ExpiringAmount]
    counts: Mapping[SourcePartition, int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Return whether the rows go, not only values in them."""
        return ROWS_PART in self.parts


def find_expiring(table: Table, until: Mapping[str, date]) -> list[ExpiringDay]:
    """Return what is due in the days before ``until`` (by part), the oldest day first.

    Brings the table to its newest version. Raises RetryableError or FatalError if the lake does
    not answer.
    """
    table.refresh()
    files = list_live_files(table)
    rows_until = until.get(ROWS_PART, date.min)
    over = [file for file in files if file.day < rows_until]
    later = [file for file in files if file.day >= rows_until]
    classes = {part: day for part, day in until.items() if part != ROWS_PART}
    found = [*_rows(table, over), *_values(table, later, classes)]
    return sorted(found, key=lambda one: one.day)


def _rows(table: Table, files: Sequence[LiveFile]) -> Iterator[ExpiringDay]:
    for day, some in groupby(sorted(files, key=lambda f: f.day), key=lambda f: f.day):
        of_day = list(some)
        size = ExpiringAmount(sum(f.rows for f in of_day), sum(f.bytes for f in of_day))
        yield ExpiringDay(table.name, day, of_day, {ROWS_PART: size}, _counts(table, of_day))


def _counts(table: Table, files: Sequence[LiveFile]) -> dict[SourcePartition, int]:
    """Return how many rows of each source partition some files of one day hold."""
    found: Counter[SourcePartition] = Counter()
    for rows in _read(table, files, ["_topic", "_partition"]):
        mine = pa.table(rows).group_by(["_topic", "_partition"]).aggregate([([], "count_all")])
        for one in mine.to_pylist():
            found[SourcePartition(one["_topic"], one["_partition"])] += one["count_all"]
    return dict(found)


def read_coordinates(table: Table, files: Sequence[LiveFile]) -> pa.Table:
    """Return where the rows of some files came from, and when they were ingested.

    Files that are not in the table any more, as of its last refresh, are passed over.
    """
    columns = ["_topic", "_partition", "_offset", "_ingested_at"]
    schema = pa.schema([TABLES[table.name].arrow.field(column) for column in columns])
    parts = [rows.select(columns) for rows in _read(table, files, columns)]
    return pa.Table.from_batches(parts).cast(schema) if parts else schema.empty_table()


def _values(
    table: Table, files: Sequence[LiveFile], until: Mapping[str, date]
) -> Iterator[ExpiringDay]:
    """Yield the days of which some files hold values that are due."""
    amounts: dict[LiveFile, dict[str, ExpiringAmount]] = defaultdict(dict)
    for part, day in until.items():
        of_part = [file for file in files if file.day < day]
        for file, amount in _held(table, of_part, part).items():
            amounts[file][part] = amount
    for day, some in groupby(sorted(amounts, key=lambda f: (f.day, f.path)), key=lambda f: f.day):
        of_day = list(some)
        parts: dict[str, ExpiringAmount] = {}
        for file in of_day:
            for part, amount in amounts[file].items():
                parts[part] = parts.get(part, ExpiringAmount()) + amount
        yield ExpiringDay(table.name, day, of_day, parts)


def _held(table: Table, files: Sequence[LiveFile], part: str) -> dict[LiveFile, ExpiringAmount]:
    """Return how much of a class each file holds; those that hold nothing are left out."""
    by_path = {file.path: file for file in files}
    columns = [f.name for f in fields_of_class(table.name, part)]
    found: dict[LiveFile, ExpiringAmount] = defaultdict(ExpiringAmount)
    for rows in _read(table, files, columns):
        flags, size = find_values(rows, table.name, part)
        count = int(flags.sum())
        if count:
            # Of one file, as all batches are.
            found[by_path[rows.column(FILE_COLUMN)[0].as_py()]] += ExpiringAmount(count, size)
    return dict(found)


def _read(
    table: Table, files: Sequence[LiveFile], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield columns of the rows of some files, each batch of one of them."""
    if not files:
        return
    wanted = pa.array(sorted({file.path for file in files}), pa.string())
    days = pa.array(sorted({file.day for file in files}), pa.date32())
    where = pc.field(PARTITION_COLUMN).isin(days)
    for batch in table.batches([*columns, FILE_COLUMN], where, rows=_AT_ONCE, ahead=1):
        mine = batch.filter(pc.is_in(batch.column(FILE_COLUMN), value_set=wanted))
        if mine.num_rows:
            yield mine
