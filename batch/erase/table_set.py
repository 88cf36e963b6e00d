"""Table sets: the tables of the lake itself, and those of each staged replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from lake.file_reader import read_file
from lake.live_files import LiveFile, list_live_files
from lake.tables import Table
from schemas.arrow import ANSWER_REVIEWS_TABLE, JUDGEMENTS_TABLE, LABELS_TABLE, REVIEWS_TABLE

DERIVED_TABLES: Final = (
    LABELS_TABLE,
    REVIEWS_TABLE,
    JUDGEMENTS_TABLE,
    ANSWER_REVIEWS_TABLE,
)


@dataclass(frozen=True)
class TableSet:
    """Tables in one folder. ``path`` is relative to the lake, empty for the lake's own tables.

    ``tables`` are by name; a staged replay has only some.
    """

    path: str
    tables: Mapping[str, Table]

    def select(self, names: Sequence[str]) -> list[Table]:
        """Return the tables of these names that exist here."""
        return [self.tables[name] for name in names if name in self.tables]

    def path_of(self, table: str) -> str:
        """Return the path of a table, relative to the lake."""
        return f"{self.path}/{table}" if self.path else table


def refresh_files(table: Table) -> list[LiveFile]:
    """Refresh a table and return its files; errors as `lake.tables`."""
    table.refresh()
    return list_live_files(table)


def read_file_columns(table: Table, file: LiveFile, columns: Sequence[str]) -> pa.Table:
    """Read some columns of a file of a table; RetryableError if the store does not answer."""
    return read_file(table.files.get(file.path), table.name, columns)
