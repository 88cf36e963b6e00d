"""Reads records from a file: captured Kafka records, JSON lines, or one OTLP request."""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
MAX_FILE_BYTES: Final = 512 * 2**20
"""Largest file after decompression."""


class CaptureFileError(ValueError):
    """The file cannot be read. The message says where, and holds no content."""


@dataclass(frozen=True, slots=True)
class CapturedRecord:
    """The value and the headers of a Kafka record. ``line`` counts from 1."""

    line: int
    value: bytes
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


def read_capture(content: bytes) -> Iterator[CapturedRecord]:
    """Yield the records in a file, which may be compressed with gzip.

    A line with ``value_b64`` is a captured Kafka record (``headers`` are pairs of a name and
    base64). A line with ``topic`` and ``payload`` is one as ``kcat -J`` writes it. Any other JSON
    line is the value of a record. A file that is not text is one record.
    Raises CaptureFileError.
    """
    content = unpack_content(content)
    if not content.strip():
        raise CaptureFileError("the file is empty")
    if content.startswith(_UTF_16_MARKS):
        raise CaptureFileError("the file is UTF-16: save it as UTF-8")
    if not _is_text(content):
        yield CapturedRecord(1, content)
        return
    if _is_document(content):
        yield CapturedRecord(1, content)
        return
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            yield _read_line(line, number)


def unpack_content(content: bytes) -> bytes:
    """Return the content of a file, unpacked if it is compressed with gzip.

    Raises CaptureFileError.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        with gzip.open(BytesIO(content)) as stream:
            unpacked = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise CaptureFileError("the gzip file is damaged") from None
    if len(unpacked) > MAX_FILE_BYTES:
        raise CaptureFileError(f"the file is larger than {MAX_FILE_BYTES} bytes when unpacked")
    return unpacked


def _is_text(content: bytes) -> bool:
    """Return whether the file is JSON; its first line may be something else, such as a notice."""
    if b"\x00" in content:
        return False
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return any(line.lstrip().startswith(b"{") for line in content.split(b"\n"))


def _is_document(content: bytes) -> bool:
    """Return whether the file is one JSON document that is printed over several lines."""
    first = content.lstrip().split(b"\n", 1)[0].strip()
    return first in {b"{", b"["}


def _read_line(line: bytes, number: int) -> CapturedRecord:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return CapturedRecord(number, line)
    if not isinstance(document, dict):
        return CapturedRecord(number, line)
    if "topic" in document and isinstance(document.get("payload"), str):
        return _read_kcat(document, number)
    if "value_b64" not in document:
        return CapturedRecord(number, line)
    try:
        value = _decode(document["value_b64"])
        headers = [(str(name), _decode(raw)) for name, raw in document.get("headers") or ()]
    except (binascii.Error, ValueError, TypeError):
        raise CaptureFileError(
            f"line {number}: `value_b64` or a header is not base64; headers are pairs"
        ) from None
    return CapturedRecord(number, value, list(headers))


def _read_kcat(document: Mapping[str, Any], number: int) -> CapturedRecord:
    """Return a record of kcat: its headers are one list of names and values in turn."""
    flat = document.get("headers")
    texts = [str(item) for item in flat] if isinstance(flat, list) else []
    headers = [
        (name, raw.encode("utf-8", "replace"))
        for name, raw in zip(texts[::2], texts[1::2], strict=False)
    ]
    payload = str(document["payload"]).encode("utf-8", "replace")
    return CapturedRecord(number, payload, list(headers))


def _decode(value: Any) -> bytes:
    return b"" if value is None else base64.b64decode(value, validate=True)
