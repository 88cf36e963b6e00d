"""Reads text files in the encodings that editors and other tools write.

A byte order mark before UTF-8 is not content. UTF-16, which PowerShell's `>` writes, is reported as
such.
"""

import codecs
from pathlib import Path

from schemas.errors import UsageError


def read_text_file(path: Path, subject: str) -> str:
    """Return the content of a UTF-8 file, without a byte order mark.

    Raises UsageError, a sentence that begins with ``subject`` (the file's name) and says why.
    """
    try:
        return decode_text(path.read_bytes())
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    raise UsageError(f"{subject} cannot be read: {reason}.")


def decode_text(data: bytes) -> str:
    """Return UTF-8 bytes as text, without a byte order mark; raise ValueError for others."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if "\0" in text:
        raise ValueError("it is not text: it has zero bytes")
    return text
