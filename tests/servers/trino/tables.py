"""Tables of a lake as statements for Trino: their columns, and rows as literals."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa


def trino_type(kind: pa.DataType) -> str:
    """The type that Trino's Delta Lake connector gives to a column."""
    if pa.types.is_map(kind):
        return f"map({trino_type(kind.key_type)}, {trino_type(kind.item_type)})"
    if pa.types.is_list(kind):
        return f"array({trino_type(kind.value_type)})"
    if pa.types.is_struct(kind):
        fields = (f'"{field.name}" {trino_type(field.type)}' for field in kind)
        return f"row({', '.join(fields)})"
    return {
        pa.string(): "varchar",
        pa.int32(): "integer",
        pa.int64(): "bigint",
        pa.float64(): "double",
        pa.bool_(): "boolean",
        pa.binary(): "varbinary",
        pa.date32(): "date",
    }.get(kind, "timestamp(3) with time zone")


def trino_literal(value: Any, kind: pa.DataType) -> str:
    """A value as Trino reads it."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST({_untyped(value, kind)} AS {trino_type(kind)})"


def _untyped(value: Any, kind: pa.DataType) -> str:
    """What is cast to the type of its column."""
    if pa.types.is_map(kind):
        keys, items = ([trino_literal(pair[at], pa.string()) for pair in value] for at in (0, 1))
        return f"map(ARRAY[{', '.join(keys)}], ARRAY[{', '.join(items)}])"
    if pa.types.is_list(kind):
        return f"ARRAY[{', '.join(trino_literal(item, kind.value_type) for item in value)}]"
    if pa.types.is_struct(kind):
        fields = (trino_literal(value[field.name], field.type) for field in kind)
        return f"ROW({', '.join(fields)})"
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%d %H:%M:%S.%f} UTC'"
    return f"'{value}'"


def create_tables(place: str, name: str, schema: pa.Schema, rows: pa.Table) -> Iterator[str]:
    """The statements for a table and its rows."""
    columns = ", ".join(f"{field.name} {trino_type(field.type)}" for field in schema)
    yield f"CREATE TABLE {place}.{name} ({columns})"
    for row in rows.to_pylist():
        values = ", ".join(trino_literal(row[field.name], field.type) for field in schema)
        yield f"INSERT INTO {place}.{name} VALUES ({values})"  # noqa: S608 - rows of a test
