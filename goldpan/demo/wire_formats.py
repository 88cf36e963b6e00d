"""Encodes records as Kafka values: JSON, framed Avro, single-object Avro."""

import io
import json
from collections.abc import Mapping
from typing import Any, Final

import fastavro

from schemas.contract import CONTRACTS
from schemas.record_batches import SENT_KINDS, RecordKind

SCHEMA_IDS: Final = {RecordKind.TRACE: 1, RecordKind.FEEDBACK: 2}
"""The ids of the schemas in `schema_files`, as a registry would assign them."""

_PARSED: Final = {
    kind: fastavro.parse_schema(dict(CONTRACTS[kind.value].avro)) for kind in SENT_KINDS
}


def encode_json(record: Mapping[str, Any]) -> bytes:
    """Return a record as UTF-8 JSON."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def encode_framed_avro(kind: RecordKind, record: Mapping[str, Any]) -> bytes:
    """Return a record in the wire format of Confluent's registry: 0, the id in 4 bytes, Avro."""
    return b"\x00" + SCHEMA_IDS[kind].to_bytes(4, "big") + _avro(kind, record)


def encode_single_object_avro(kind: RecordKind, record: Mapping[str, Any]) -> bytes:
    """Return a record in Avro's single-object encoding: C3 01, the schema's fingerprint, Avro."""
    return b"\xc3\x01" + bytes.fromhex(CONTRACTS[kind.value].fingerprint) + _avro(kind, record)


def schema_files() -> dict[str, str]:
    """Return the files of a folder for ``GOLDPAN_KAFKA__SCHEMAS_DIR``: text by file name."""
    return {
        f"{number}.avsc": json.dumps(CONTRACTS[kind.value].avro, indent=1)
        for kind, number in SCHEMA_IDS.items()
    }


def _avro(kind: RecordKind, record: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _PARSED[kind], dict(record))
    return out.getvalue()
