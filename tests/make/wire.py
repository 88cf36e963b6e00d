"""Records as they stand in Kafka: each wire format, written by a producer of any schema."""

from io import BytesIO
from typing import Any

from fastavro import schemaless_writer
from fastavro.schema import parse_schema

from schemas.contract import Avsc, schema_fingerprint


def avro_body(record: dict[str, Any], avsc: Avsc) -> bytes:
    """Return a record as bare Avro. Times are given as microseconds."""
    out = BytesIO()
    schemaless_writer(out, parse_schema(without_logical_types(avsc)), record)
    return out.getvalue()


def framed(record: dict[str, Any], avsc: Avsc, schema_id: int) -> bytes:
    """Return a record with Confluent framing."""
    return b"\x00" + schema_id.to_bytes(4, "big") + avro_body(record, avsc)


def single_object(record: dict[str, Any], avsc: Avsc) -> bytes:
    """Return a record in single-object encoding."""
    return b"\xc3\x01" + bytes.fromhex(schema_fingerprint(avsc)) + avro_body(record, avsc)


def zigzag(number: int) -> bytes:
    """Return a number as Avro writes an int or long."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def without_logical_types(node: Any) -> Any:
    """Return a schema that writes and reads times as plain numbers."""
    if isinstance(node, dict):
        return {
            key: without_logical_types(value) for key, value in node.items() if key != "logicalType"
        }
    if isinstance(node, list):
        return [without_logical_types(item) for item in node]
    return node
