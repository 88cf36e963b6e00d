"""Shows DuckDB the files of a table: by its own Parquet reader in a folder, else through Arrow.

DuckDB's reader takes about half the CPU of a pyarrow dataset, and skips parts of row groups. The
files are exactly those of a snapshot. Arrow reads them where DuckDB cannot: elsewhere than in a
folder, where DuckDB would see other types than the table has, and where it would misread the path.
"""

from collections.abc import Sequence
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from lake.datasets import local_paths
from lake.parquet import PARTITION_COLUMN

_GLOB: Final = frozenset("*?[]{}")
"""DuckDB takes a path with one of these characters for a pattern."""


def show_dataset(connection: duckdb.DuckDBPyConnection, name: str, dataset: ds.Dataset) -> bool:
    """Create a view of a dataset, or register it; return whether DuckDB reads it itself.

    Raises an error of DuckDB if a file is missing.
    """
    paths = local_paths(dataset)
    if paths and not any(_is_misread(path) for path in paths):
        columns = _columns(connection, paths, dataset.schema)
        if columns is not None:
            source = _read_parquet(paths)
            connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM {source}")  # noqa: S608 - names of this program
            return True
    connection.register(name, dataset)
    return False


def _is_misread(path: str) -> bool:
    """Return whether DuckDB would take a path for a pattern, or find other columns in it.

    It takes each folder ``name=value`` for a column, in place of that in the files. Only the folder
    of the day is one.
    """
    lake, _day, _file = path.rsplit("/", 2)
    return "=" in lake or not _GLOB.isdisjoint(path)


def _read_parquet(paths: Sequence[str]) -> str:
    files = ", ".join(_text(path) for path in paths)
    days = f"hive_partitioning = true, hive_types = {{{PARTITION_COLUMN}: DATE}}"
    return f"read_parquet([{files}], union_by_name = true, {days})"


def _columns(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], schema: pa.Schema
) -> str | None:
    """Return the columns of a schema as SQL over the files; None if types differ.

    Files that were written before a column existed have none: it is null there.
    """
    empty = schema.empty_table()
    wanted = connection.from_arrow(empty)
    stored = connection.sql(f"SELECT * FROM {_read_parquet(paths)}")  # noqa: S608 - quoted paths
    types = dict(zip(stored.columns, stored.types, strict=True))
    columns = []
    for name, kind in zip(wanted.columns, wanted.types, strict=True):
        found = types.get(name)
        if found is not None and found != kind:
            return None
        columns.append(f'"{name}"' if found is not None else f'CAST(NULL AS {kind}) AS "{name}"')
    return ", ".join(columns)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
