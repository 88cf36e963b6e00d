"""Reads records from a file: captured Kafka records, JSON lines, or one OTLP request."""

import base64
import binascii
import codecs
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO, Final, cast

GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
MAX_RECORD_BYTES: Final = 512 * 2**20
"""Largest record, after decompression; a file of JSON lines may be larger."""
_HEAD_BYTES: Final = 65_536
"""How much of a file shows what it is."""


class CaptureFileError(ValueError):
    """The file cannot be read. The message says where, and holds no content."""


@dataclass(frozen=True, slots=True)
class CapturedRecord:
    """The value and the headers of a Kafka record. ``line`` counts from 1."""

    line: int
    value: bytes
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


def read_capture(content: bytes) -> Iterator[CapturedRecord]:
    """Yield the records in the content of a file, as `read_capture_stream`."""
    return read_capture_stream(BytesIO(content))


def read_capture_stream(file: BinaryIO) -> Iterator[CapturedRecord]:
    """Yield the records in a file, which may be compressed with gzip and must allow seeking.

    A line with ``value_b64`` is a captured Kafka record (``headers`` are pairs of a name and
    base64). A line with ``topic`` and ``payload`` is one as ``kcat -J`` writes it. Any other JSON
    line is the value of a record. A file that is not text is one record, and so is one JSON
    document over several lines. One record is in memory at a time.
    Raises CaptureFileError.
    """
    stream = unpack_stream(file)
    with _naming_damage():
        head = stream.read(_HEAD_BYTES)
    if head.startswith(_UTF_16_MARKS):
        raise CaptureFileError("the file is UTF-16: save it as UTF-8")
    if not head.strip() and len(head) < _HEAD_BYTES:
        raise CaptureFileError("the file is empty")
    if not _is_text(head) or _is_document(head):
        yield CapturedRecord(1, _read_whole(head, stream))
        return
    for number, line in enumerate(_read_lines(head, stream), start=1):
        if line.strip():
            yield _read_line(line, number)


def unpack_stream(file: BinaryIO) -> BinaryIO:
    """Return the content of a file from its beginning, unpacked if it is compressed with gzip."""
    file.seek(0)
    magic = file.read(len(GZIP_MAGIC))
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if magic == GZIP_MAGIC else file


def digest_capture(file: BinaryIO) -> str:
    """Return the digest of the content of a file, unpacked: SHA-256 in hexadecimal.

    Raises CaptureFileError.
    """
    digest, stream = hashlib.sha256(), unpack_stream(file)
    with _naming_damage():
        while part := stream.read(_HEAD_BYTES):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def _naming_damage() -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise CaptureFileError("the gzip file is damaged") from None


def _read_whole(head: bytes, stream: BinaryIO) -> bytes:
    with _naming_damage():
        content = head + stream.read(MAX_RECORD_BYTES + 1 - len(head))
    if len(content) > MAX_RECORD_BYTES:
        raise CaptureFileError(f"the file is one record of more than {MAX_RECORD_BYTES} bytes")
    return content


def _read_lines(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file whose first bytes were read."""
    *whole, rest = head.split(b"\n")
    yield from (line.rstrip(b"\r") for line in whole)
    with _naming_damage():
        while line := stream.readline(MAX_RECORD_BYTES):
            if len(line) + len(rest) > MAX_RECORD_BYTES:
                raise CaptureFileError(f"a line has more than {MAX_RECORD_BYTES} bytes")
            yield (rest + line).rstrip(b"\r\n")
            rest = b""
    yield rest


def _is_text(head: bytes) -> bool:
    """Return whether a file is JSON; its first line may be something else, such as a notice."""
    if b"\x00" in head:
        return False
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < _HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return any(line.lstrip().startswith(b"{") for line in head.split(b"\n"))


def _is_document(head: bytes) -> bool:
    """Return whether a file is one JSON document that is printed over several lines."""
    return head.lstrip().split(b"\n", 1)[0].strip() in {b"{", b"["}


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
