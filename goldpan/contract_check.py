"""Checks producers' records and schemas against the contract, and exports the contract."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID, uuid5

from decode.avro_reader import prepare_schema
from decode.decoder import Decoder
from decode.refusal import Refusal
from decode.schema_sources import FolderSource
from decode.unknown_fields import find_unknown_fields
from schemas import odcs
from schemas.arrow import EVENT_DATE, TABLES, TableSchema
from schemas.contract import CONTRACTS
from schemas.errors import UsageError
from schemas.evolution import find_evolution_problems
from schemas.json_schema import json_schema
from schemas.reasons import QuarantineReason
from schemas.record_batches import RawRecord, RecordKind

_UUID_NAMESPACE: Final = UUID("0b6a1f0e-5b0f-5d0c-8f3e-6a1d2c9e7f55")
_BATCH_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class ContractViolation:
    """A record that would be quarantined: ``line`` (from 1) of its file, None for a whole file.

    ``unknown`` has the paths of fields that are not in the contract, each with the most similar
    known field, if any. They are for the owner of the file: a worker never logs or stores them,
    since a field name can be personal data too.
    """

    line: int | None
    reason: str
    detail: str
    field: str | None
    unknown: Sequence[str] = ()


def check_lines(
    kind: RecordKind, lines: Iterable[bytes], *, max_record_bytes: int
) -> Iterator[tuple[int, list[ContractViolation]]]:
    """Yield for each block of lines how many fit, and the violations; skip blank lines."""
    decoder = Decoder(kind, FolderSource(), max_record_bytes=max_record_bytes)
    batch: list[RawRecord] = []
    for line_number, line in enumerate(lines, 1):
        if text := line.strip():
            batch.append(RawRecord(0, line_number, -1, None, text))
        if len(batch) == _BATCH_LINES:
            yield _check_batch(decoder, batch)
            batch = []
    yield _check_batch(decoder, batch)


def _check_batch(decoder: Decoder, batch: list[RawRecord]) -> tuple[int, list[ContractViolation]]:
    decoded, rejected = decoder.decode("", batch)
    violations = [
        ContractViolation(
            record.raw.offset,
            str(record.reason),
            record.detail,
            record.field,
            find_unknown_fields(decoder.kind, record.raw.value or b"")
            if record.reason is QuarantineReason.UNKNOWN_FIELD
            else (),
        )
        for record in rejected
    ]
    return len(decoded), violations


def check_avro_schema(kind: RecordKind, text: bytes) -> ContractViolation | None:
    """Return why records of an Avro schema (its JSON) are unreadable; None if they are not."""
    try:
        avsc = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("an Avro schema must be JSON, and this file is not") from None
    prepared = prepare_schema(CONTRACTS[kind], avsc)
    if isinstance(prepared, Refusal):
        return ContractViolation(None, str(prepared.reason), prepared.detail, prepared.field)
    return None


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
        f"{kind.value}.schema.json": _pretty(json_schema(CONTRACTS[kind])) for kind in RecordKind
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


_ON_TOPICS: Final = (*(kind.value for kind in RecordKind), "label_event")
CONTRACT_FORMATS: Final = {
    "avro": export_avro,
    "json-schema": export_json_schema,
    "odcs": export_odcs,
}
"""Export formats of the contract; each function returns file contents by name."""
