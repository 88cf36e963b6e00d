"""Finds what expires in a table: rows past their retention, and values in younger rows.

Whether a file still holds values is determined by reading their columns, only for days past the
retention of the values. Once values are removed, these columns hold next to nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.retention.values import fields_of_class, find_values
from lake.ledger import SourcePartition
from lake.live_files import LiveFile, list_live_files
from lake.parquet import PARTITION_COLUMN
from lake.retention_horizon import ROWS_PART
from lake.tables import FILE_COLUMN, Table
from schemas.arrow import TABLES

_ROWS_PER_BATCH: Final = 1_024  # rows whose texts are in memory at once


@dataclass(frozen=True, slots=True)
class ExpiringAmount:
    """How much expires, in rows and bytes: of rows the size of their files, of values their own."""

    rows: int = 0
    bytes: int = 0

    def __add__(self, other: "ExpiringAmount") -> "ExpiringAmount":
        return ExpiringAmount(self.rows + other.rows, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class ExpiringDay:
    """What expires of one day of a table, in one commit.

    ``parts`` are ``rows`` or classes of values, with the amount of each in ``files``; ``counts`` is
    the number of rows removed, by source partition.
    """

    table: str
    day: date
    files: Sequence[LiveFile]
    parts: Mapping[str, ExpiringAmount]
    counts: Mapping[SourcePartition, int] = field(default_factory=dict)

    @property
    def removes_rows(self) -> bool:
        """Return whether rows are removed, not only values in them."""
        return ROWS_PART in self.parts

    def to_json(self) -> dict[str, Any]:
        """Return the day as the command prints it and the commit's note stores it."""
        return {
            "table": self.table,
            "day": self.day.isoformat(),
            "files": len(self.files),
            "parts": {
                part: {"rows": amount.rows, "bytes": amount.bytes}
                for part, amount in sorted(self.parts.items())
            },
        }


def find_expiring(table: Table, until: Mapping[str, date]) -> list[ExpiringDay]:
    """Return what expires in the days before ``until`` (by part), the oldest day first.

    Refreshes the table. Raises RetryableError or FatalError if the lake does not answer.
    """
    table.refresh()
    files = list_live_files(table)
    rows_until = until.get(ROWS_PART, date.min)
    expired_files = [file for file in files if file.day < rows_until]
    later_files = [file for file in files if file.day >= rows_until]
    classes = {part: day for part, day in until.items() if part != ROWS_PART}
    expiring = [
        *_expiring_rows(table, expired_files),
        *_expiring_values(table, later_files, classes),
    ]
    return sorted(expiring, key=lambda day: day.day)


def _expiring_rows(table: Table, files: Sequence[LiveFile]) -> Iterator[ExpiringDay]:
    for day, same_day in groupby(sorted(files, key=lambda f: f.day), key=lambda f: f.day):
        day_files = list(same_day)
        size = ExpiringAmount(sum(f.rows for f in day_files), sum(f.bytes for f in day_files))
        yield ExpiringDay(
            table.name, day, day_files, {ROWS_PART: size}, _count_by_source(table, day_files)
        )


def _count_by_source(table: Table, files: Sequence[LiveFile]) -> dict[SourcePartition, int]:
    """Return how many rows of each source partition some files of one day hold."""
    counts: Counter[SourcePartition] = Counter()
    for rows in _read_columns(table, files, ["_topic", "_partition"]):
        groups = pa.table(rows).group_by(["_topic", "_partition"]).aggregate([([], "count_all")])
        for group in groups.to_pylist():
            counts[SourcePartition(group["_topic"], group["_partition"])] += group["count_all"]
    return dict(counts)


def read_coordinates(table: Table, files: Sequence[LiveFile]) -> pa.Table:
    """Return the coordinates of the rows of some files, and when they were ingested.

    Files that are no longer in the table, as of its last refresh, are skipped.
    """
    columns = ["_topic", "_partition", "_offset", "_index", "_ingested_at"]
    schema = pa.schema([TABLES[table.name].arrow.field(column) for column in columns])
    parts = [rows.select(columns) for rows in _read_columns(table, files, columns)]
    return pa.Table.from_batches(parts).cast(schema) if parts else schema.empty_table()


def _expiring_values(
    table: Table, files: Sequence[LiveFile], until: Mapping[str, date]
) -> Iterator[ExpiringDay]:
    """Yield the days with files that hold expiring values."""
    amounts: dict[LiveFile, dict[str, ExpiringAmount]] = defaultdict(dict)
    for part, day in until.items():
        part_files = [file for file in files if file.day < day]
        for file, amount in _measure_values(table, part_files, part).items():
            amounts[file][part] = amount
    for day, same_day in groupby(
        sorted(amounts, key=lambda f: (f.day, f.path)), key=lambda f: f.day
    ):
        day_files = list(same_day)
        parts: dict[str, ExpiringAmount] = {}
        for file in day_files:
            for part, amount in amounts[file].items():
                parts[part] = parts.get(part, ExpiringAmount()) + amount
        yield ExpiringDay(table.name, day, day_files, parts)


def _measure_values(
    table: Table, files: Sequence[LiveFile], part: str
) -> dict[LiveFile, ExpiringAmount]:
    """Return the amount of a class of values in each file, without files that hold none."""
    by_path = {file.path: file for file in files}
    columns = [f.name for f in fields_of_class(table.name, part)]
    amounts: dict[LiveFile, ExpiringAmount] = defaultdict(ExpiringAmount)
    for rows in _read_columns(table, files, columns):
        flags, size = find_values(rows, table.name, part)
        count = int(flags.sum())
        if count:
            # Every batch is of one file.
            amounts[by_path[rows.column(FILE_COLUMN)[0].as_py()]] += ExpiringAmount(count, size)
    return dict(amounts)


def _read_columns(
    table: Table, files: Sequence[LiveFile], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield columns of the rows of some files, each batch from one file."""
    if not files:
        return
    paths = pa.array(sorted({file.path for file in files}), pa.string())
    days = pa.array(sorted({file.day for file in files}), pa.date32())
    where = pc.field(PARTITION_COLUMN).isin(days)
    for batch in table.batches([*columns, FILE_COLUMN], where, rows=_ROWS_PER_BATCH, ahead=1):
        selected = batch.filter(pc.is_in(batch.column(FILE_COLUMN), value_set=paths))
        if selected.num_rows:
            yield selected
