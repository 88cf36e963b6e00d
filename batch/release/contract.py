"""The data contract of a release, in the Open Data Contract Standard (ODCS 3.1.0)."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

import pyarrow as pa
import yaml

from batch.release.files import DATA
from batch.release.rows import MEANING, SCHEMA
from schemas.contract import CONTRACTS, Field

SPACE: Final = UUID("5f1c4d4e-0f63-5a0e-9d2b-7a4f6d6f3c10")
"""The namespace of the identifiers that goldpan makes for releases (RFC 9562, version 5)."""
_FIELDS: Final[Mapping[str, Field]] = {field.name: field for field in CONTRACTS["trace"].fields}


def contract(name: str, version: str, description: str) -> bytes:
    """Return the contract as YAML: the columns of the data, their types and classes."""
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": str(uuid5(SPACE, name)),
        "name": name,
        "version": version,
        "status": "active",
        "description": {
            "purpose": description or "A golden set: labelled traces to test the next change with.",
            "usage": "Estimates of production need the column weight; comparisons do not.",
        },
        "schema": [
            {
                "name": "rows",
                "physicalName": DATA,
                "physicalType": "parquet",
                "logicalType": "object",
                "properties": [_property(field) for field in SCHEMA],
            }
        ],
        "slaProperties": [{"property": "retention", "value": "until withdrawn"}],
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


def _property(column: pa.Field) -> dict[str, Any]:
    field = _FIELDS.get(column.name)
    known: dict[str, Any] = {
        "name": column.name,
        "logicalType": _logical(column.type),
        "physicalType": str(column.type).split("<", 1)[0],
        "required": not column.nullable,
    }
    if pa.types.is_list(column.type) and not pa.types.is_map(column.type):
        known["items"] = _items(column.type.value_type)
    if field is not None:
        return known | {"description": field.doc, "classification": str(field.pii)}
    told = MEANING.get(column.name)
    return (
        known
        | ({"description": told} if told else {})
        | ({"primaryKey": True, "unique": True} if column.name == "trace_id" else {})
    )


def _items(inner: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(inner):
        return {"logicalType": "object", "properties": [_property_of(f) for f in inner]}
    return {"logicalType": _logical(inner)}


def _property_of(field: pa.Field) -> dict[str, Any]:
    known: dict[str, Any] = {"name": field.name, "logicalType": _logical(field.type)}
    if pa.types.is_list(field.type) and not pa.types.is_map(field.type):
        known["items"] = _items(field.type.value_type)
    return known


def _logical(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_map(kind) or pa.types.is_struct(kind):
        return "object"
    if pa.types.is_list(kind):
        return "array"
    if pa.types.is_integer(kind):
        return "integer"
    return "number" if pa.types.is_floating(kind) else "string"
