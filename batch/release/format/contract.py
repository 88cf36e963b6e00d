"""The data contract of a release, in the Open Data Contract Standard (ODCS 3.1.0)."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

import pyarrow as pa

from batch.release.format.files import DATA
from batch.release.format.rows import COLUMN_DESCRIPTIONS, SCHEMA
from schemas import odcs
from schemas.contract import CONTRACTS, ContractField

RELEASE_NAMESPACE: Final = UUID("5f1c4d4e-0f63-5a0e-9d2b-7a4f6d6f3c10")
"""The namespace of the identifiers of releases (RFC 9562, version 5)."""
_FIELDS: Final[Mapping[str, ContractField]] = {
    field.name: field for field in CONTRACTS["trace"].fields
}


def release_contract(
    name: str, version: str, description: str, columns: pa.Schema = SCHEMA
) -> bytes:
    """Return the contract as YAML: the columns of the data, their types and classes."""
    return odcs.odcs_document(
        identity=str(uuid5(RELEASE_NAMESPACE, name)),
        name=name,
        version=version,
        description={
            "purpose": description or "A golden set: labelled traces to test the next change with.",
            "usage": "Use the column weight to estimate the traces that the datasheet names; leave "
            "it out of comparisons.",
        },
        objects=[
            {
                "name": "rows",
                "physicalName": DATA,
                "physicalType": "parquet",
                "logicalType": "object",
                "properties": [_property(field) for field in columns],
            }
        ],
        promises=[{"property": "retention", "value": "until withdrawn"}],
    )


def _property(column: pa.Field) -> dict[str, Any]:
    field = _FIELDS.get(column.name)
    described = odcs.odcs_column(column, field)
    if field is not None:
        return described
    description = COLUMN_DESCRIPTIONS.get(column.name)
    return (
        described
        | ({"description": description} if description else {})
        | ({"primaryKey": True, "unique": True} if column.name == "trace_id" else {})
    )
