"""How an item of a record is kept while it is set aside, so that it can be decoded again alone.

A kept item begins with a zero byte, which begins no record of any format, then a line of JSON:
which headers go with it, and whether it is a record that holds one item, or a row that was decoded
but could not be redacted.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

KeptForm = Literal["record", "row"]
_MARK: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class KeptItem:
    """A kept item: a ``record`` of its format with its headers, or a ``row`` of ``otel_spans``."""

    form: KeptForm
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()


class _Head(msgspec.Struct):
    form: KeptForm
    headers: list[tuple[str, str | None]] = []


def write_kept_item(item: KeptItem) -> bytes:
    """Return a kept item as bytes; the same item gives the same bytes."""
    headers = [
        (name, None if value is None else base64.b64encode(value).decode("ascii"))
        for name, value in item.headers
    ]
    return b"".join((_MARK, msgspec.json.encode(_Head(item.form, headers)), b"\n", item.value))


def read_kept_item(payload: bytes) -> KeptItem | None:
    """Return the kept item in a payload; None if it is a record as it came."""
    if not payload.startswith(_MARK):
        return None
    line, found, value = payload[1:].partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
        headers = tuple(
            (name, None if raw is None else base64.b64decode(raw, validate=True))
            for name, raw in head.headers
        )
    except (msgspec.DecodeError, binascii.Error, ValueError):
        return None
    return KeptItem(head.form, value, headers) if found else None
