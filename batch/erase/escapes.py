r"""Unescapes a text level by level, since one id can be written in many ways.

A JSON writer may put ``\u002b`` or ``\/``, a URL ``%2B``, an HTML page ``&#43;``, a CSV file
``""``, and each may be nested in another. All escapes of one level are undone at once, until
nothing changes. People also use other dashes, quotes and widths, and invisible characters.
"""

import html
import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

_INVISIBLE: Final = "\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_WIDE: Final = "\uff01-\uff5e\u3000\u00a0"
_DASHES: Final = "\u2010-\u2013\u2212\ufe58\ufe63"
_QUOTES: Final = "\u2018\u2019\u201c\u201d\u02bc"
ESCAPE_HINT: Final = (
    r"\\[^\n]|%[0-9A-Fa-fu]|&#|&[A-Za-z]{2,31};"
    f"|[{_INVISIBLE}{_WIDE}{_DASHES}{_QUOTES}]"
    "|\"\"|''"
)
"""Matches where a text may read differently than it is written; valid for RE2 and `re`."""

_MAX_LEVELS: Final = 8
"""Levels to undo: enough for JSON in JSON in JSON, which has eight backslashes in a row."""

_ESCAPE: Final = re.compile(
    r"(?P<units>(?:\\u[0-9A-Fa-f]{4})+)"
    r"|\\(?:U(?P<wide>[0-9A-Fa-f]{8})|u\{(?P<braced>[0-9A-Fa-f]{1,6})\})"
    r"|(?P<bytes>(?:\\x[0-9A-Fa-f]{2})+|(?:\\[0-3][0-7]{2})+)"
    r"|\\(?P<white>[nrtbfv])"
    r"|\\(?P<plain>[^A-Za-z0-9])"
    r"|(?P<old>(?:%u[0-9A-Fa-f]{4})+)"
    r"|(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});?)"
    "|(?P<twice>\"\"|'')",
    re.DOTALL,
)
_CONTROL_CHARACTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}
_HEX: Final = re.compile(r"[0-9A-Fa-f]{4}")
_FOLDED_CHARACTERS: Final = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63", "-"),
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d", '"'),
    }
)


def unescape_levels(text: str) -> list[str]:
    """Return what a text reads as, from the outermost level of escapes inwards; not the text."""
    readings: list[str] = []
    current = text
    for _ in range(_MAX_LEVELS):
        for form in (current, fold_text(current)):
            if form != text and form not in readings:
                readings.append(form)
        unescaped = _ESCAPE.sub(_unescape, current)
        if unescaped == current:
            break
        current = unescaped
    return readings


def fold_text(text: str) -> str:
    """Return a text composed, in ASCII widths, dashes and quotes, without invisible characters."""
    if text.isascii():
        return text
    # Before and after, since compatibility forms contain some of these characters.
    plain = unicodedata.normalize("NFKC", text.translate(_FOLDED_CHARACTERS)).translate(
        _FOLDED_CHARACTERS
    )
    return "".join(c for c in plain if c.isascii() or unicodedata.category(c) != "Cf")


def _unescape(match: re.Match[str]) -> str:
    kind, text = str(match.lastgroup), match[str(match.lastgroup)]
    if kind in {"units", "old"}:
        units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in _HEX.findall(text))
        return units.decode("utf-16-be", "replace")
    if kind in {"wide", "braced"}:
        code_point = int(text, 16)
        return (
            chr(code_point)
            if code_point < 0x110000 and not 0xD800 <= code_point < 0xE000
            else "\ufffd"
        )
    if kind == "bytes":
        base = 16 if text[1] == "x" else 8
        return _decode(bytes(int(part.lstrip("x"), base) for part in text.split("\\")[1:]))
    if kind == "percent":
        return _decode(unquote_to_bytes(text))
    if kind == "entity":
        return html.unescape(text)
    return _CONTROL_CHARACTERS[text] if kind == "white" else text[0]


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
