"""The ways in which programs and people write an id, for tests that look for it in all of them."""

import html
import json
import string
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

IDS = (
    "mia+4711",
    'o\'neil "x"/4711',
    "a\\b&c<d>4711",
    "mía-größe-4711",
    "名前-4711",
    "mia%41-4711",
    "ann.lee+tag@example.com",
    "user 4711 (sales)",
)
SEED = 20_261_130


def escaped_all(text: str) -> str:
    """Every sign as JSON may escape it, in pairs where it must."""
    data = text.encode("utf-16-be")
    return "".join(f"\\u{data[n]:02x}{data[n + 1]:02X}" for n in range(0, len(data), 2))


def escaped_some(text: str) -> str:
    """As writers do that are careful with pages: all that is no letter or digit."""
    return "".join(c if c.isalnum() and c.isascii() else escaped_all(c) for c in text)


WRITERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda t: json.dumps(t)[1:-1],
    "json, unicode": lambda t: json.dumps(t, ensure_ascii=False)[1:-1],
    "json, slashes": lambda t: json.dumps(t)[1:-1].replace("/", "\\/"),
    "json, all": escaped_all,
    "json, careful": escaped_some,
    "json in json": lambda t: json.dumps(json.dumps(t))[1:-1],
    "json in json in json": lambda t: json.dumps(json.dumps(json.dumps(t)))[1:-1],
    "csv": lambda t: '"' + t.replace('"', '""') + '"',
    "sql": lambda t: "'" + t.replace("'", "''") + "'",
    "url": lambda t: f"https://example.com/u/{quote(t, safe='')}?x=1",
    "url, small": lambda t: "".join(f"%{b:02x}" for b in t.encode()),
    "url twice": lambda t: quote(quote(t, safe=""), safe=""),
    "form": lambda t: f"user={quote_plus(t)}&x=1",
    "page": html.escape,
    "page, numbers": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "page, hex": lambda t: "".join(f"&#x{ord(c):X};" for c in t),
    "bytes": lambda t: "".join(f"\\x{b:02x}" for b in t.encode()),
    "markdown": lambda t: "".join(f"\\{c}" if c in string.punctuation else c for c in t),
    "decomposed": lambda t: unicodedata.normalize("NFD", t),
    "wide": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "invisible": "\u200b".join,
    "dashes and quotes": lambda t: t.translate(str.maketrans("-'", "\u2011\u2019")),
    "url in json": lambda t: json.dumps(f"/x?u={quote(t)}")[1:-1].replace("/", "\\/"),
    "json in csv": lambda t: '"' + json.dumps({"u": t}).replace('"', '""') + '"',
    "json in url": lambda t: quote(json.dumps({"u": t})),
    "page in json": lambda t: json.dumps(f"<b>{html.escape(t)}</b>")[1:-1],
}
AROUND = (
    "{}",
    "by\n{}, who",
    "({})",
    '{{"a": "x", "who": "{}"}}',
    "x\\n{}\\ty",
    "Von {} \u2013 ja",
)
