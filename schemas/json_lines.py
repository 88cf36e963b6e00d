"""Escapes line separators inside JSON, so that every reader splits the same lines.

JSON allows U+0085, U+2028 and U+2029 in strings unescaped, but many line readers (Python's
``str.splitlines``, old JavaScript) end a line there. As escapes they mean the same.
"""

from typing import Final

_LINE_ENDS: Final = {sign.encode(): f"\\u{ord(sign):04x}".encode() for sign in "\x85\u2028\u2029"}


def escape_line_ends(document: bytes) -> bytes:
    """Return a JSON document (UTF-8, without line feeds) with all other line ends escaped."""
    for sign, escape in _LINE_ENDS.items():
        document = document.replace(sign, escape)
    return document
