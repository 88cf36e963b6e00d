"""Decodes values by their form, with the position of each character."""

import html
import re
from itertools import chain
from urllib.parse import unquote

from redact.pairs.pair import ValueForm

_BACKSLASH = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u[0-9a-fA-F]{4}|\\U000[0-9a-fA-F]{5}|\\x[0-9a-fA-F]{2}|\\.|\\\Z|[^\\]+",
    re.DOTALL,
)
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\+|[^%+]+|%")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});|[^&]+|&")
_DOUBLED = re.compile(r'""|[^"]+|"')
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_REPLACEMENT = "\ufffd"


def read_value(raw: str, form: ValueForm, times: int = 1) -> str:
    """Return the decoded value; backslash escapes are undone ``times`` times."""
    if form in _STRINGS:
        for _ in range(times):
            if "\\" not in raw:
                break
            raw = "".join(_escape(unit) for unit in _BACKSLASH.findall(raw))
        return raw
    if form == "percent":
        return unquote(raw.replace("+", " ")) if "%" in raw or "+" in raw else raw
    if form == "xml":
        return html.unescape(raw) if "&" in raw else raw
    return raw.replace('""', '"') if form == "cell" and '""' in raw else raw


def locate_characters(raw: str, form: ValueForm, times: int = 1) -> tuple[str, list[int]]:
    """Return the decoded value, and the position in ``raw`` of each of its characters.

    The last position is the length of ``raw``.
    """
    if form in _STRINGS:
        origin = list(range(len(raw) + 1))
        for _ in range(times):
            raw, inner = _spread(
                [(m.start(), m[0], _escape(m[0])) for m in _BACKSLASH.finditer(raw)], len(raw)
            )
            origin = [origin[position] for position in inner]
        return raw, origin
    if form == "percent":
        return _spread(list(chain.from_iterable(map(_octets, _PERCENT.finditer(raw)))), len(raw))
    if form == "xml":
        units = [
            (m.start(), m[0], html.unescape(m[0]) if m[0][-1] == ";" and m[0][0] == "&" else m[0])
            for m in _ENTITY.finditer(raw)
        ]
        return _spread(units, len(raw))
    if form == "cell" and '""' in raw:
        return _spread(
            [(m.start(), m[0], '"' if m[0] == '""' else m[0]) for m in _DOUBLED.finditer(raw)],
            len(raw),
        )
    return raw, list(range(len(raw) + 1))


def quotation_mark(mark: str, form: ValueForm, times: int) -> str:
    """Return a quotation mark as written inside a value of a form."""
    if form in _STRINGS:
        for _ in range(times):
            mark = mark.replace("\\", "\\\\").replace(
                '"' if form == "json_string" else "'", _OWN[form]
            )
        return mark
    if form == "percent":
        return mark.replace("\\", "%5C").replace('"', "%22").replace("'", "%27")
    if form == "xml":
        return mark.replace('"', "&quot;").replace("'", "&#39;")
    return mark.replace('"', '""') if form == "cell" else mark


_STRINGS = ("json_string", "python_string")
_OWN = {"json_string": '\\"', "python_string": "\\'"}


def _escape(unit: str) -> str:
    if unit[0] != "\\" or len(unit) == 1:
        return unit
    kind = unit[1]
    if kind in "uUx" and len(unit) > 2:
        if len(unit) == 12:
            high, low = int(unit[2:6], 16), int(unit[8:], 16)
            return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
        code = int(unit[2:], 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else _REPLACEMENT
    return _SIMPLE.get(kind, kind)


def _octets(match: re.Match[str]) -> list[tuple[int, str, str]]:
    """Return the characters of a percent-encoded run: ``(position, raw, plain)``."""
    raw, start = match[0], match.start()
    if raw == "+":
        return [(start, raw, " ")]
    if raw[0] != "%" or len(raw) == 1:
        return [(start, raw, raw)]
    units: list[tuple[int, str, str]] = []
    for character in unquote(raw):
        length = 3 * len(character.encode()) if character != _REPLACEMENT else 3
        units.append((start, "%", character))
        start += length
    return units


def _spread(units: list[tuple[int, str, str]], length: int) -> tuple[str, list[int]]:
    """Return the text of units ``(position, raw, plain)`` and the position of each character."""
    origin: list[int] = []
    for position, raw, plain in units:
        if raw == plain:
            origin.extend(range(position, position + len(raw)))
        else:
            origin.extend([position] * len(plain))
    origin.append(length)
    return "".join(plain for _, _, plain in units), origin
