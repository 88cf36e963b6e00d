"""Disguises: spellings of a value that make it look different."""

from collections.abc import Callable
from urllib.parse import quote

DISGUISES: dict[str, Callable[[str], str]] = {
    "full width": lambda v: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v),
    "zero width": "\u200b".join,
    "word joiner": "\u2060".join,
    "soft hyphen": lambda v: v[: len(v) // 2] + "\u00ad" + v[len(v) // 2 :],
    "percent": lambda v: quote(v, safe=""),
    "all percent": lambda v: "".join(f"%{b:02X}" for b in v.encode()),
    "unicode escapes": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "some unicode escapes": lambda v: "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in v),
    "entities": lambda v: "".join(f"&#{ord(c)};" for c in v),
    "hexadecimal entities": lambda v: "".join(f"&#x{ord(c):x};" for c in v),
}
"""Disguises that any value may have; those of one type are its ``forms``."""
