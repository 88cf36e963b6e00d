"""Reads text files that people write with any editor, or other tools make.

A byte order mark in front of UTF-8 is no content; UTF-16, as PowerShell's `>` writes it, is named.
"""

import codecs
from pathlib import Path

from schemas.errors import UsageError


def read_text_file(path: Path, what: str) -> str:
    """Return what a file of UTF-8 holds, without a byte order mark.

    Raises UsageError, a sentence that begins with ``what`` (which names the file) and says why.
    """
    try:
        return decode_text(path.read_bytes())
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    raise UsageError(f"{what} cannot be read: {reason}.")


def decode_text(data: bytes) -> str:
    """Return bytes of UTF-8 as text, without a byte order mark; ValueError says what they are."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if "\0" in text:
        raise ValueError("it is no text: it holds zero bytes")
    return text
