"""Reads data files of tables, in the types of the table."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from lake.table_layouts import file_schema

_SMALL: Final = 2**20  # bytes; threads make reading a smaller file slower


def read_file(data: bytes, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows in the bytes of a file of a table, with all columns or only some.

    A column that the file lacks is null, and text is plain text, not views, also in files that
    delta-rs has rewritten. Raises an error of pyarrow if the file is broken.
    """
    schema = file_schema(table)
    file = pq.ParquetFile(pa.BufferReader(data))
    if not file.schema_arrow.equals(schema):
        return pq.read_table(pa.BufferReader(data), columns=columns, schema=schema)
    names = schema.names if columns is None else list(columns)
    # For a small file this takes half as long as `read_table`, which makes a dataset of it.
    rows = file.read(columns=names, use_threads=len(data) > _SMALL).select(names)
    return pa.Table.from_arrays(rows.columns, schema=pa.schema([schema.field(c) for c in names]))
