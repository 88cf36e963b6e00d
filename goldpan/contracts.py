"""Whether what a producer sends fits the contract, and the contract in the formats of others."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID, uuid5

from schemas import odcs
from schemas.arrow import EVENT_DATE, TABLES, TableSchema
from schemas.contract import CONTRACTS
from schemas.errors import UsageError
from schemas.evolution import problems
from schemas.json_schema import json_schema
from schemas.provenance import Raw, RecordKind
from schemas.reasons import Reason
from stream.decode.avro_reader import prepare
from stream.decode.decoder import Decoder
from stream.decode.refusal import Refusal
from stream.decode.sources import FolderSource
from stream.decode.strangers import unknown_fields

_SPACE: Final = UUID("0b6a1f0e-5b0f-5d0c-8f3e-6a1d2c9e7f55")
_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something that would be set aside: ``line`` (from 1) of its file, None for a whole file.

    ``unknown`` has the paths of fields that the contract does not know, each with the field that
    may be meant, if one is near. They are for whoever has the file: a worker never says them, since
    the name of a field may be personal too.
    """

    line: int | None
    reason: str
    detail: str
    field: str | None
    unknown: Sequence[str] = ()


def check_lines(
    kind: RecordKind, lines: Iterable[bytes], *, max_record_bytes: int
) -> Iterator[tuple[int, list[Misfit]]]:
    """Yield, some lines at a time, how many fit and which do not; blank lines are passed over."""
    decoder = Decoder(kind, FolderSource(), max_record_bytes=max_record_bytes)
    batch: list[Raw] = []
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            batch.append(Raw(0, number, -1, None, text))
        if len(batch) == _ROWS:
            yield _checked(decoder, batch)
            batch = []
    yield _checked(decoder, batch)


def _checked(decoder: Decoder, batch: list[Raw]) -> tuple[int, list[Misfit]]:
    decoded, rejected = decoder.decode("", batch)
    misfits = [
        Misfit(
            one.raw.offset,
            str(one.reason),
            one.detail,
            one.field,
            unknown_fields(decoder.kind, one.raw.value or b"")
            if one.reason is Reason.UNKNOWN_FIELD
            else (),
        )
        for one in rejected
    ]
    return len(decoded), misfits


def check_avro(kind: RecordKind, text: bytes) -> Misfit | None:
    """Say why records written with an Avro schema (its JSON) cannot be read; None if they can."""
    try:
        avsc = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("an Avro schema is JSON, and this file is none") from None
    found = prepare(CONTRACTS[kind], avsc)
    if isinstance(found, Refusal):
        return Misfit(None, str(found.reason), found.detail, found.field)
    return None


def own_problems() -> list[str]:
    """Return what this version of the contract cannot read of what released versions could."""
    return [f"{name}: {told}" for name, one in CONTRACTS.items() for told in problems(one)]


def avro_files() -> dict[str, bytes]:
    """Return the Avro schema of each record that travels on a topic."""
    return {f"{name}.avsc": _pretty(CONTRACTS[name].avro) for name in _TRAVELLING}


def json_schema_files() -> dict[str, bytes]:
    """Return the JSON Schema of each record that producers send."""
    return {
        f"{kind.value}.schema.json": _pretty(json_schema(CONTRACTS[kind])) for kind in RecordKind
    }


def odcs_files() -> dict[str, bytes]:
    """Return the data contract of the tables."""
    text = odcs.document(
        identity=str(uuid5(_SPACE, "lake")),
        name="goldpan lake",
        version=version("goldpan"),
        description={
            "purpose": "What LLM applications did, what users said of it, and what it was worth.",
            "usage": "Read the Delta tables, not the files in their folders: replaced files stay "
            "there until they are vacuumed.",
        },
        objects=[_table(table) for table in TABLES.values()],
    )
    return {"lake.odcs.yaml": text}


def _table(table: TableSchema) -> dict[str, Any]:
    contract = CONTRACTS[table.record]
    fields = {field.name: field for field in contract.fields}
    columns = [odcs.column(column, fields.get(column.name)) for column in table.arrow]
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


_TRAVELLING: Final = (*(kind.value for kind in RecordKind), "label_event")
FORMATS: Final = {"avro": avro_files, "json-schema": json_schema_files, "odcs": odcs_files}
"""The formats that the contract is exported in; each gives files by name."""
