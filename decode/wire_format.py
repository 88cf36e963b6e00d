"""Detects the wire format of a record from its first bytes.

Confluent framing is a zero byte and the schema's id: four bytes, big endian. Single-object encoding
is 0xC3 0x01 and the schema's CRC-64-AVRO: eight bytes, little endian (Avro specification 1.12).
JSON is UTF-8 and may begin with a byte order mark and white space.
"""

from enum import Enum
from typing import Final

from decode.refusal import Refusal
from schemas.reasons import QuarantineReason

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
FRAMED_HEADER_BYTES: Final = 5
SINGLE_OBJECT_HEADER_BYTES: Final = 10

OPENING_BRACE: Final = 0x7B

_WHITE_SPACE = b" \t\r\n"
_CONFLUENT_MAGIC = 0x00
_SINGLE_OBJECT_MAGIC = b"\xc3\x01"
_JSON_FIRST_BYTES = b'{["-0123456789tfn'


class WireFormat(Enum):
    """The encoding of a record."""

    JSON = 1
    FRAMED_AVRO = 2
    SINGLE_OBJECT_AVRO = 3


def detect_format(value: bytes) -> WireFormat | Refusal:
    """Return the format of a non-empty value, or why it has none."""
    first = value[0]
    if first == OPENING_BRACE:
        return WireFormat.JSON
    if first == _CONFLUENT_MAGIC:
        return _check_header(value, FRAMED_HEADER_BYTES, WireFormat.FRAMED_AVRO)
    if value.startswith(_SINGLE_OBJECT_MAGIC):
        return _check_header(value, SINGLE_OBJECT_HEADER_BYTES, WireFormat.SINGLE_OBJECT_AVRO)
    return _detect_text(value)


def _check_header(value: bytes, header: int, form: WireFormat) -> WireFormat | Refusal:
    if len(value) >= header:
        return form
    return Refusal(
        QuarantineReason.TRUNCATED, "The record ends within the header that names its schema."
    )


def _detect_text(value: bytes) -> WireFormat | Refusal:
    text = value.removeprefix(BYTE_ORDER_MARK).lstrip(_WHITE_SPACE)
    if not text:
        return Refusal(QuarantineReason.EMPTY, "The value is only white space.")
    if text[0] in _JSON_FIRST_BYTES:
        return WireFormat.JSON
    if _is_text(text):
        return Refusal(QuarantineReason.NOT_JSON, "The value is text, but not a JSON document.")
    return Refusal(
        QuarantineReason.UNKNOWN_FORMAT,
        "The value is neither framed Avro, nor single-object Avro, nor JSON in UTF-8.",
    )


def _is_text(value: bytes) -> bool:
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\r\n" for character in decoded[:256])
