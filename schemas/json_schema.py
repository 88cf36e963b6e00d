"""The contract as JSON Schema (2020-12), for producers that validate before sending.

It requires what the worker's decoder requires of a record in JSON, except that JSON Schema cannot
express that a time written as text is between 2000 and 2100 (UTC).
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.contract import Contract, ContractField, FieldType
from schemas.records import EARLIEST_MICROS, INT64_MAX, LATEST_MICROS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(contract: Contract) -> dict[str, Any]:
    """Return the JSON Schema of a contract."""
    head = {"$schema": DIALECT, "title": contract.name, "description": contract.doc}
    rules = [rule for rule in _VALUE_RULES if contract.name == "feedback"]
    return head | _record(contract.fields) | ({"allOf": rules} if rules else {})


def _record(fields: tuple[ContractField, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {field.name: _field(field) for field in fields},
        "required": [field.name for field in fields if not field.has_default],
        "additionalProperties": False,
    }


def _field(field: ContractField) -> dict[str, Any]:
    value = {"description": field.doc} | _present(field)
    if not field.nullable:
        return value
    if "type" in value and isinstance(value["type"], str):
        symbols = {"enum": [*value["enum"], None]} if "enum" in value else {}
        return value | {"type": [value["type"], "null"]} | symbols
    return {"description": field.doc, "anyOf": [_present(field), {"type": "null"}]}


def _present(field: ContractField) -> dict[str, Any]:
    if field.type is FieldType.RECORDS:
        return {"type": "array", "items": _record(field.fields)}
    if field.type is FieldType.ENUM:
        return {"type": "string", "enum": list(field.symbols)}
    return _SHAPES[field.type] | _limits(field)


def _limits(field: ContractField) -> dict[str, Any]:
    limits = field.limits
    bounds: Mapping[str, float | None] = {
        "minimum": limits.minimum,
        "maximum": limits.maximum,
        "minLength": limits.min_length,
        "maxLength": limits.max_length,
    }
    return {name: limit for name, limit in bounds.items() if limit is not None}


def _when(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "if": {
            "properties": {"kind": {"const": kind}, "value": {"type": "number"}},
            "required": ["kind", "value"],
        },
        "then": {"properties": {"value": value}},
    }


# Validators may ignore `format`.
_RFC_3339: Final = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"

_SHAPES: Final[Mapping[FieldType, dict[str, Any]]] = {
    FieldType.STRING: {"type": "string"},
    FieldType.BYTES: {"type": "string"},
    FieldType.LONG: {"type": "integer", "maximum": INT64_MAX},
    FieldType.DOUBLE: {"type": "number"},
    FieldType.MAP: {"type": "object", "additionalProperties": {"type": "string"}},
    FieldType.TIMESTAMP: {
        "anyOf": [
            {"type": "integer", "minimum": EARLIEST_MICROS, "maximum": LATEST_MICROS},
            {"type": "string", "format": "date-time", "pattern": _RFC_3339},
        ]
    },
}

_VALUE_RULES: Final = (
    _when("thumbs", {"enum": [-1, 1]}),
    _when("rating", {"minimum": 0, "maximum": 1}),
)
"""What `value` may be, by kind (see `schemas.record_rules`)."""
