"""Finds and clears the values of a class of fields in Arrow columns.

The classes are those of the contract: free text (`redact`, `redact_json`), pseudonyms
(`pseudonymize`), and the sealed payloads of quarantine. A nullable value becomes null, a required
text empty, a map empty. Lists keep their entries, so roles, tool names and scores stay.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.retention_horizon import PSEUDONYMS_PART, SEALED_PART, TEXT_PART
from schemas.arrow import TABLES, arrow_field, arrow_type
from schemas.contract import CONTRACTS, ContractField, FieldType, Pii

_CLASS: Final = {
    Pii.REDACT: TEXT_PART,
    Pii.REDACT_JSON: TEXT_PART,
    Pii.PSEUDONYMIZE: PSEUDONYMS_PART,
}
_SEALED: Final = frozenset({"sealed_payload", "sealed_key_id"})
_ENTRIES: Final = pa.list_(
    pa.struct([pa.field("key", pa.string()), pa.field("value", pa.string())])
)


class ValueFlags(NamedTuple):
    """Which rows have values (one flag per row), and the size of the values, uncompressed."""

    rows: npt.NDArray[np.bool_]
    bytes: int


def fields_of_class(table: str, part: str) -> list[ContractField]:
    """Return the fields of a table that hold values of a class, directly or nested."""
    return [f for f in CONTRACTS[TABLES[table].record].fields if _contains(f, part)]


def find_values(rows: pa.RecordBatch | pa.Table, table: str, part: str) -> ValueFlags:
    """Return which rows have values of a class; ``rows`` must have the columns of those fields."""
    flags, size = np.zeros(rows.num_rows, np.bool_), 0
    for field in fields_of_class(table, part):
        child_flags = _find(_as_array(rows.column(field.name)), field, part)
        flags, size = flags | child_flags.rows, size + child_flags.bytes
    return ValueFlags(flags, size)


def clear_values(rows: pa.Table, table: str, parts: Collection[str]) -> pa.Table:
    """Return the rows without the values of these classes, otherwise unchanged."""
    for field in CONTRACTS[TABLES[table].record].fields:
        if any(_contains(field, part) for part in parts):
            index = rows.schema.get_field_index(field.name)
            array = _clear(_as_array(rows.column(index)), field, parts)
            rows = rows.set_column(index, rows.schema.field(index), array)
    return rows


def _class_of(field: ContractField) -> str | None:
    """Return the class of a field that holds values, None if the values never expire."""
    return SEALED_PART if field.path in _SEALED else _CLASS.get(field.pii)


def _contains(field: ContractField, part: str) -> bool:
    if field.type is FieldType.RECORDS:
        return any(_contains(child, part) for child in field.fields)
    return _class_of(field) == part


def _as_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _find(array: Any, field: ContractField, part: str) -> ValueFlags:
    if field.type is FieldType.RECORDS:
        parents = np.asarray(pc.list_parent_indices(array))
        flags, size = np.zeros(len(array), np.bool_), 0
        for child, values in _child_columns(array, field):
            if _contains(child, part):
                child_flags = _find(values, child, part)
                flags[parents[child_flags.rows]] = True
                size += child_flags.bytes
        return ValueFlags(flags, size)
    if field.type is FieldType.MAP:
        entries = array.cast(_ENTRIES)
        flags = np.asarray(pc.fill_null(pc.list_value_length(entries), 0)) > 0
        sizes = [
            int(_value_lengths(child_flags).sum()) for child_flags in entries.flatten().flatten()
        ]
        return ValueFlags(flags, sum(sizes))
    lengths = _value_lengths(array)
    return ValueFlags(lengths > 0, int(lengths.sum()))


def _value_lengths(array: Any) -> npt.NDArray[np.int64]:
    return np.asarray(pc.fill_null(pc.binary_length(array), 0)).astype(np.int64)


def _child_columns(array: Any, field: ContractField) -> Iterator[tuple[ContractField, Any]]:
    """Yield the fields of the records in a list, each with its values concatenated."""
    return zip(field.fields, array.flatten().flatten(), strict=True)


def _clear(array: Any, field: ContractField, parts: Collection[str]) -> Any:
    if field.type is FieldType.RECORDS:
        children = [_clear(values, child, parts) for child, values in _child_columns(array, field)]
        structs = pa.StructArray.from_arrays(children, fields=[*map(arrow_field, field.fields)])
        return pa.ListArray.from_arrays(
            _offsets(array), structs, type=arrow_type(field), mask=_nulls(array)
        )
    if _class_of(field) not in parts:
        return array
    if field.nullable:
        return pa.nulls(len(array), array.type)
    if field.type is FieldType.MAP:
        none = pa.array([], pa.string())
        return pa.MapArray.from_arrays(
            pa.array(np.zeros(len(array) + 1, np.int32)), none, none, type=array.type
        )
    return pa.array([""] * len(array), array.type)


def _offsets(array: Any) -> pa.Array:
    """Return where each list begins in the concatenated entries of all lists."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(array), 0))
    offsets = np.zeros(len(array) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)


def _nulls(array: Any) -> pa.Array | None:
    return array.is_null() if array.null_count else None
