"""Files of a table are read in its types, whoever wrote them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lake.file_reader import read_file
from lake.live_files import list_live_files
from lake.table_layouts import file_schema
from tests.lake.kit import append, make_lake

NAME = "feedback"
COLUMNS = ["_offset", "trace_id", "user_id"]


def test_files_of_other_writers_read_alike(tmp_path: Path) -> None:
    """Text as views or large, other orders, a missing column: all columns in the table's types."""
    table = make_lake(tmp_path).table(NAME)
    append(table, None, 4)
    table.refresh()
    (file,) = list_live_files(table)
    data = table.files.get(file.path)
    rows = read_file(data, NAME)
    assert rows.schema.equals(file_schema(NAME))
    assert rows["_offset"].to_pylist() == [0, 1, 2, 3]
    trace_id = rows.schema.get_field_index("trace_id")
    others = [
        rows.set_column(trace_id, "trace_id", rows["trace_id"].cast(pa.large_string())),
        rows.set_column(trace_id, "trace_id", rows["trace_id"].cast(pa.string_view())),
        rows.select(sorted(rows.column_names)),
    ]
    for other in others:
        assert read_file(encode(other), NAME).equals(rows)
        assert read_file(encode(other), NAME, COLUMNS).equals(rows.select(COLUMNS))
    without = read_file(encode(rows.drop_columns(["user_id"])), NAME)
    assert without["user_id"].null_count == len(rows)
    assert without.drop_columns(["user_id"]).equals(rows.drop_columns(["user_id"]))
    assert read_file(data, NAME, COLUMNS).equals(rows.select(COLUMNS))


def encode(rows: pa.Table) -> bytes:
    """Write rows as another program does."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    return bytes(sink.getvalue())
