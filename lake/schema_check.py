"""Checks whether a table's columns and types fit this version of goldpan.

A table may have columns that this version does not know, if they are nullable: a later version has
added them (`lake.upgrade`). Rows can be appended to such a table. Its files cannot be rewritten,
since the values of those columns would be lost.
"""

from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable

from lake.parquet import PARTITION_COLUMN
from schemas.errors import FatalError


def check_schema(name: str, handle: DeltaTable, expected: pa.Schema) -> None:
    """Raise FatalError, naming the columns, if a table cannot take rows of ``expected``."""
    present = {field.name: field for field in pa.schema(handle.schema().to_arrow())}
    missing = [field.name for field in missing_columns(handle, expected)]
    unknown = [c for c in unknown_columns(handle, expected) if not present[c].nullable]
    mistyped = [
        f.name
        for f in expected
        if f.name in present and not same_type(f.type, present[f.name].type)
    ]
    partitions = handle.metadata().partition_columns
    faults = [
        f"{fault} {', '.join(columns)}"
        for fault, columns in (
            ("lacks", missing),
            ("has unknown", unknown),
            ("has another type for", mistyped),
        )
        if columns
    ]
    if partitions != [PARTITION_COLUMN]:
        faults.append(f"is partitioned by {', '.join(partitions) or 'nothing'}")
    if faults:
        only_older = missing and len(faults) == 1
        todo = "Run `goldpan lake upgrade`, which adds them" if only_older else _ANOTHER_LAKE
        raise FatalError(
            f"table {name} at {handle.table_uri} does not fit this version of goldpan: "
            f"it {'; it '.join(faults)}. {todo}, or use the version that made this one"
        )


_ANOTHER_LAKE = "Point GOLDPAN_LAKE__URI at a lake made by `goldpan lake init`"


def missing_columns(handle: DeltaTable, expected: pa.Schema) -> list[pa.Field]:
    """Return the columns that a table should have and does not have."""
    present = set(pa.schema(handle.schema().to_arrow()).names)
    return [field for field in expected if field.name not in present]


def unknown_columns(handle: DeltaTable, expected: pa.Schema) -> list[str]:
    """Return the names of the columns that a table has and this version does not know."""
    return [
        name for name in pa.schema(handle.schema().to_arrow()).names if name not in expected.names
    ]


def refuse_unknown_columns(name: str, columns: Sequence[str]) -> None:
    """Raise FatalError if there is any: rewriting files would lose their values."""
    if columns:
        raise FatalError(
            f"table {name} has columns that this version of goldpan does not know "
            f"({', '.join(columns)}): rewriting its files would lose them. Use the version that "
            "added them"
        )


def same_type(left: pa.DataType, right: pa.DataType) -> bool:
    """Return whether two types are the same to Delta, which ignores the names of list elements."""
    if pa.types.is_map(left) and pa.types.is_map(right):
        return same_type(left.key_type, right.key_type) and same_type(
            left.item_type, right.item_type
        )
    if pa.types.is_list(left) and pa.types.is_list(right):
        return same_type(left.value_type, right.value_type)
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        names = [left.field(i).name for i in range(left.num_fields)]
        same_names = names == [right.field(i).name for i in range(right.num_fields)]
        return same_names and all(same_type(left.field(n).type, right.field(n).type) for n in names)
    return bool(left == right)
