"""Finds files embedded in text as base64 (pictures, sound, documents), which are not scanned.

They occur as data URLs (``data:image/png;base64,…``) in any text, or alone in a JSON string, as in
content parts of chat APIs. The content of such a file is not scanned, so it is not stored either: a
stand-in with media type, size and keyed hash replaces it.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from redact.lexical.findings import PiiFinding

FILE_TYPE: Final = "FILE"
_MARK: Final = ";base64,"
_URL: Final = re.compile(
    r"data:(?P<media>[A-Za-z0-9][A-Za-z0-9.+/-]{0,126})?(?P<options>(?:;[A-Za-z0-9_.=+-]{1,80}){0,5});base64,"
    r"[A-Za-z0-9+/_\\=%\r\n-]{16,}",
)
_ALONE: Final = re.compile(r"[A-Za-z0-9+/_-]{4}[A-Za-z0-9+/_\r\n-]*={0,2}\s*\Z")
_SHORTEST: Final = 200
"""Minimum length of a bare base64 string that is a file, not an identifier or key."""

_HEAD: Final = 64
_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x1f\x8b", "application/gzip"),
)
"""First bytes of files, with their media type."""


def find_embedded_files(text: str) -> list[PiiFinding]:
    """Return the data URLs in a text, in order."""
    if _MARK not in text:
        return []
    return [PiiFinding(FILE_TYPE, match.start(), match.end(), 1.0) for match in _URL.finditer(text)]


def is_encoded_file(text: str) -> bool:
    """Return whether a string is only a base64-encoded file."""
    if len(text) < _SHORTEST or _ALONE.match(text) is None:
        return False
    head = _decode(text[:_HEAD])
    return head is not None and not _is_text(head)


def describe_file(value: str, token: str) -> str:
    """Return the stand-in of a file: a data URL with only its media type, size and hash.

    ``token`` is the keyed hash of the file, as in a placeholder.
    """
    head, _, body = value.rpartition(_MARK)
    letters = len(body) - sum(map(body.count, "=\r\n"))
    media = head.removeprefix("data:").partition(";")[0] or _media_type(body)
    return f"data:{media};bytes={letters * 3 // 4},<{FILE_TYPE}:{token}>"


def blank_findings(text: str, findings: Sequence[PiiFinding]) -> str:
    """Return a text of the same length with spaces where the findings are."""
    if not findings:
        return text
    pieces: list[str] = []
    copied = 0
    for finding in findings:
        pieces += (text[copied : finding.start], " " * (finding.end - finding.start))
        copied = finding.end
    pieces.append(text[copied:])
    return "".join(pieces)


def _media_type(body: str) -> str:
    head = _decode(body[:_HEAD]) or b""
    if head[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(head[8:12], "video/avi")
    if head[4:8] == b"ftyp":
        return "video/mp4"
    kinds = (media for magic, media in _MAGIC if head.startswith(magic))
    return next(kinds, "application/octet-stream")


def _decode(text: str) -> bytes | None:
    standard = re.sub(r"\s", "", text).replace("-", "+").replace("_", "/").rstrip("=")
    complete = standard[: len(standard) // 4 * 4]
    try:
        return base64.b64decode(complete, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_text(data: bytes) -> bool:
    """Return whether bytes are UTF-8 text, except for a truncated last character."""
    text = data.decode("utf-8", "ignore")
    return len(text.encode()) > len(data) - 4 and all(
        c.isprintable() or c in "\t\r\n" for c in text
    )
