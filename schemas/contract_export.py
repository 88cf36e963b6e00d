"""Exports the contract as Avro schemas, JSON Schema and ODCS, and checks its compatibility."""

import json
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID, uuid5

from schemas import odcs
from schemas.arrow import EVENT_DATE, TABLES, TableSchema
from schemas.assembly_columns import ASSEMBLY_COLUMN_DOCS
from schemas.contract import CONTRACTS
from schemas.evolution import find_evolution_problems
from schemas.json_schema import json_schema
from schemas.record_batches import SENT_KINDS

_UUID_NAMESPACE: Final = UUID("0b6a1f0e-5b0f-5d0c-8f3e-6a1d2c9e7f55")


def find_incompatibilities() -> list[str]:
    """Return where this version of the contract cannot read records of released versions."""
    return [
        f"{name}: {problem}"
        for name, contract in CONTRACTS.items()
        for problem in find_evolution_problems(contract)
    ]


def export_avro() -> dict[str, bytes]:
    """Return the Avro schema of each record type that is sent on a topic."""
    return {f"{name}.avsc": _pretty(CONTRACTS[name].avro) for name in _ON_TOPICS}


def export_json_schema() -> dict[str, bytes]:
    """Return the JSON Schema of each record type that producers send."""
    return {
        f"{kind.value}.schema.json": _pretty(json_schema(CONTRACTS[kind])) for kind in SENT_KINDS
    }


def export_odcs() -> dict[str, bytes]:
    """Return the data contract of the tables in ODCS."""
    text = odcs.odcs_document(
        identity=str(uuid5(_UUID_NAMESPACE, "lake")),
        name="goldpan lake",
        version=version("goldpan"),
        description={
            "purpose": "Traces of LLM applications, feedback on them, and labels for both.",
            "usage": "Read the Delta tables, not the files in their folders: replaced files stay "
            "in the folders until they are vacuumed.",
        },
        objects=[_table(table) for table in TABLES.values()],
    )
    return {"lake.odcs.yaml": text}


def _table(table: TableSchema) -> dict[str, Any]:
    contract = CONTRACTS[table.record]
    fields = {field.name: field for field in contract.fields}
    columns = [odcs.odcs_column(column, fields.get(column.name)) for column in table.arrow]
    for column in columns:
        if column["name"] in table.own.names:
            column["description"] = ASSEMBLY_COLUMN_DOCS[column["name"]]
        if column["name"] == EVENT_DATE:
            column |= {"partitioned": True, "partitionKeyPosition": 1}
    return {
        "name": table.name,
        "physicalName": table.name,
        "physicalType": "delta table",
        "logicalType": "object",
        "description": contract.doc,
        "properties": columns,
    }


def _pretty(document: Any) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


_ON_TOPICS: Final = (*(kind.value for kind in SENT_KINDS), "label_event")
CONTRACT_FORMATS: Final = {
    "avro": export_avro,
    "json-schema": export_json_schema,
    "odcs": export_odcs,
}
"""Export formats of the contract; each function returns file contents by name."""
