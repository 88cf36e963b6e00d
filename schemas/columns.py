"""Converts records to columns, without a dict or a Python loop for each record.

This runs for every stored record, so it stays in C wherever it can. Records are turned into columns
a block at a time (``astuple`` and ``zip``), nested records are laid end to end with offsets, and
each column becomes an Arrow array in one call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import astuple

from schemas.arrow import SPANS_TABLE, TABLES, TIMESTAMP_US, arrow_field, arrow_type
from schemas.assembly_columns import assembly_arrays
from schemas.contract import CONTRACTS, ContractField, FieldType
from schemas.record_batches import DecodedBatch, RecordKind

TABLE_OF_KIND: Final[Mapping[RecordKind, str]] = {
    RecordKind.TRACE: "traces",
    RecordKind.FEEDBACK: "feedback",
    RecordKind.SPAN: SPANS_TABLE,
}
"""The table that records of a kind are stored in."""

_BLOCK: Final = 256
"""Records per block: their fields stay in the processor's cache, and the tuples are freed before
the garbage collector counts them (its threshold is 700)."""


def record_batch(
    kind: RecordKind, decoded: DecodedBatch[Any], *, ingested_at: int, policy: str
) -> pa.RecordBatch:
    """Return the rows of ``decoded`` with exactly the columns of their table.

    ``ingested_at`` is in microseconds since 1970 (UTC), ``policy`` the hash of the redaction
    policy. A text column must stay under 2 GiB, which the worker's memory budget ensures. Rows of
    ``traces`` take the columns beside their contract from ``decoded.assembly``.
    """
    table = TABLES[TABLE_OF_KIND[kind]]
    columns = record_arrays(table.record, decoded.records)
    rows = len(decoded.records)
    provenance = [
        pa.repeat(pa.scalar(decoded.topic, pa.string()), rows),
        pa.array(decoded.partitions, pa.int32()),
        pa.array(decoded.offsets, pa.int64()),
        pa.repeat(pa.scalar(ingested_at, TIMESTAMP_US), rows),
        pa.array(decoded.schema_ids, pa.string()),
        pa.repeat(pa.scalar(policy, pa.string()), rows),
        pa.array(decoded.indexes, pa.int32()) if decoded.indexes else pa.nulls(rows, pa.int32()),
    ]
    event_time = columns[table.arrow.get_field_index(table.event_time)]
    event_date = event_time.cast(pa.date32())
    own = assembly_arrays(decoded.assembly, rows) if len(table.own) else []
    return pa.RecordBatch.from_arrays([*columns, *provenance, *own, event_date], schema=table.arrow)


def record_arrays(contract: str, records: Sequence[msgspec.Struct]) -> list[pa.Array]:
    """Return one array for each field of a contract, in the order of the contract."""
    return _arrays(_PLANS[contract], records)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one column is built; computed once."""

    build: Callable[["_Plan", list[Any]], pa.Array]
    type: pa.DataType
    inner: tuple["_Plan", ...] = ()
    inner_fields: tuple[pa.Field, ...] = ()


def _plan(field: ContractField) -> _Plan:
    if field.type is FieldType.RECORDS:
        return _Plan(
            _list_array,
            arrow_type(field),
            tuple(_plan(child) for child in field.fields),
            tuple(arrow_field(child) for child in field.fields),
        )
    build = _map_array if field.type is FieldType.MAP else _plain_array
    return _Plan(build, arrow_type(field))


def _arrays(plans: tuple[_Plan, ...], records: Sequence[msgspec.Struct]) -> list[pa.Array]:
    columns = _transpose(records, len(plans))
    return [plan.build(plan, column) for plan, column in zip(plans, columns, strict=True)]


def _transpose(records: Sequence[msgspec.Struct], width: int) -> list[list[Any]]:
    """Return the columns of the records; the fields of a class are in the contract's order."""
    columns: list[list[Any]] = [[] for _ in range(width)]
    extend = [column.extend for column in columns]
    for start in range(0, len(records), _BLOCK):
        block = map(astuple, records[start : start + _BLOCK])
        for add, values in zip(extend, zip(*block, strict=True), strict=True):
            add(values)
    return columns


def _plain_array(plan: _Plan, column: list[Any]) -> pa.Array:
    return pa.array(column, plan.type)


def _list_array(plan: _Plan, column: list[Any]) -> pa.Array:
    flat = list(chain.from_iterable(column))
    structs = pa.StructArray.from_arrays(_arrays(plan.inner, flat), fields=plan.inner_fields)
    return pa.ListArray.from_arrays(_offsets(column, len(flat)), structs, type=plan.type)


def _map_array(plan: _Plan, column: list[Any]) -> pa.Array:
    flat = list(chain.from_iterable(column))
    keys = pa.array(flat, pa.string())
    values = pa.array(list(chain.from_iterable(map(dict.values, column))), pa.string())
    return pa.MapArray.from_arrays(_offsets(column, len(flat)), keys, values, type=plan.type)


def _offsets(column: list[Any], total: int) -> pa.Array:
    """Return the offset of each entry of a column among its ``total`` items laid end to end."""
    offsets = np.zeros(len(column) + 1, np.int32)
    if total:
        np.cumsum(np.fromiter(map(len, column), np.int32, len(column)), out=offsets[1:])
    return pa.array(offsets)


_PLANS: Final[Mapping[str, tuple[_Plan, ...]]] = {
    name: tuple(_plan(field) for field in contract.fields) for name, contract in CONTRACTS.items()
}
