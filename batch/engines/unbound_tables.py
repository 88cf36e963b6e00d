"""The lake's tables as Ibis tables that belong to no engine; a query over them runs on any."""

from typing import Any, Final

import ibis
import pyarrow as pa

from schemas.arrow import TABLES, TIMESTAMP_US


def unbound_table(name: str) -> Any:
    """Return a table of the lake as an Ibis table that is not bound to an engine.

    ``all_…`` is the same table, not limited to the window. ``stored_…`` has also the
    rows that are not in force.
    """
    schema = TABLES[name.removeprefix("all_").removeprefix("stored_")].arrow
    return table_of_schema(schema, name)


def table_of_schema(schema: pa.Schema, name: str) -> Any:
    """Return an Ibis table of this name with the columns of an Arrow schema."""
    return ibis.table({field.name: type_of(field.type) for field in schema}, name=name)


def type_of(arrow: pa.DataType) -> str:
    """Return an Arrow type as Ibis writes it."""
    if pa.types.is_map(arrow):
        return f"map<{type_of(arrow.key_type)}, {type_of(arrow.item_type)}>"
    if pa.types.is_list(arrow):
        return f"array<{type_of(arrow.value_type)}>"
    if pa.types.is_struct(arrow):
        fields = ", ".join(f"{f.name}: {type_of(f.type)}" for f in arrow)
        return f"struct<{fields}>"
    return _PLAIN_TYPES[arrow]


_PLAIN_TYPES: Final = {
    pa.string(): "string",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float64(): "float64",
    pa.bool_(): "boolean",
    pa.binary(): "binary",
    pa.date32(): "date",
    TIMESTAMP_US: "timestamp('UTC', 6)",
}
