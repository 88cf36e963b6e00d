"""Describes tables as data contracts of the Open Data Contract Standard (ODCS 3.1.0)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import yaml

from schemas.contract import ContractField

ODCS_VERSION: Final = "v3.1.0"


def odcs_document(  # noqa: PLR0913 - each argument is one part of the document
    *,
    identity: str,
    name: str,
    version: str,
    description: Mapping[str, str],
    objects: Iterable[Mapping[str, Any]],
    promises: Iterable[Mapping[str, Any]] = (),
) -> bytes:
    """Return a data contract as YAML; ``promises`` are its ``slaProperties``."""
    contract: dict[str, Any] = {
        "apiVersion": ODCS_VERSION,
        "kind": "DataContract",
        "id": identity,
        "name": name,
        "version": version,
        "status": "active",
        "description": dict(description),
        "schema": [dict(item) for item in objects],
    }
    if listed := [dict(item) for item in promises]:
        contract["slaProperties"] = listed
    text: str = yaml.safe_dump(contract, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


def odcs_column(column: pa.Field, field: ContractField | None = None) -> dict[str, Any]:
    """Return the property of a column; ``field`` is the field of the contract in it."""
    described: dict[str, Any] = {
        "name": column.name,
        "logicalType": _logical(column.type),
        "physicalType": str(column.type).split("<", 1)[0],
        "required": not column.nullable,
    }
    described |= _items_of(column.type)
    if field is not None:
        described |= {"description": field.doc, "classification": str(field.pii)}
    return described


def _items_of(kind: pa.DataType) -> dict[str, Any]:
    """Return the description of a list's items; empty for other types."""
    if not pa.types.is_list(kind) or pa.types.is_map(kind):
        return {}
    inner = kind.value_type
    if not pa.types.is_struct(inner):
        return {"items": {"logicalType": _logical(inner)}}
    parts = [{"name": f.name, "logicalType": _logical(f.type)} | _items_of(f.type) for f in inner]
    return {"items": {"logicalType": "object", "properties": parts}}


def _logical(kind: pa.DataType) -> str:
    return next((name for is_kind, name in _LOGICAL_TYPES if is_kind(kind)), "string")


_LOGICAL_TYPES: Final[tuple[tuple[Callable[[pa.DataType], bool], str], ...]] = (
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_date, "date"),
    (pa.types.is_map, "object"),
    (pa.types.is_struct, "object"),
    (pa.types.is_list, "array"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "number"),
)
