"""Decodes a record of OTLP. Protobuf and JSON are told apart by the first byte of the record."""

from otel.otlp_json import decode_json
from otel.otlp_protobuf import decode_protobuf
from otel.signals import DecodedSignals, refuse_signals


def decode_otlp(value: bytes) -> DecodedSignals:
    """Return the spans and log records of a record.

    A request in protobuf starts with the byte 0x0a (field 1), which JSON could have only as white
    space before its brace.
    """
    if not value:
        return refuse_signals("the record is empty")
    if value.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"' in value[:64]:
        decoded = decode_json(value)
        if decoded.readable or value[:1] != b"\n":
            return decoded
    return decode_protobuf(value)
