"""JSON lines: escapes line separators inside JSON, so that every reader splits the same lines.

JSON allows U+0085, U+2028 and U+2029 in strings unescaped, but many line readers (Python's
``str.splitlines``, old JavaScript) end a line there. As escapes they mean the same.
"""

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_LINE_ENDS: Final = {sign.encode(): f"\\u{ord(sign):04x}".encode() for sign in "\x85\u2028\u2029"}


def escape_line_ends(document: bytes) -> bytes:
    """Return a JSON document (UTF-8, without line feeds) with all other line ends escaped."""
    for sign, escape in _LINE_ENDS.items():
        document = document.replace(sign, escape)
    return document


def encode_json_lines(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Return documents as JSON lines (UTF-8), each with its line feed."""
    return b"".join(encode_json_line(document) + b"\n" for document in documents)


def encode_json_line(document: Mapping[str, Any]) -> bytes:
    """Return a document as a JSON line (UTF-8), without its line feed."""
    return escape_line_ends(json.dumps(document, ensure_ascii=False).encode())


def skip_byte_order_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines; a mark before the first, which is no content, is left out."""
    for index, line in enumerate(lines):
        yield line if index else line.removeprefix(codecs.BOM_UTF8)
