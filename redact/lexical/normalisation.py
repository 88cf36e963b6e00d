"""Normalises disguised text: full-width and invisible characters, escapes, entities.

A text is decoded as a person or the next program would read it, with a map back to the origin of
each character. Nothing here decides anything: detectors search both forms.
"""

import html
import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from redact.lexical.findings import PiiFinding

_UNIT = re.compile(
    r"[\\%&+\x80-\U0010ffff](?:"
    r"(?<=\\)\\{0,3}(?:u[0-9a-fA-F]{4}(?:\\{1,4}u[dD][c-fC-F][0-9a-fA-F]{2})?"
    r"|x[0-9a-fA-F]{2}|[nrt])"
    r"|(?<=%)(?:25){0,3}[0-9A-Fa-f]{2}(?:%(?:25){0,3}[0-9A-Fa-f]{2})*"
    r"|(?<=&)(?:amp;){0,3}(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});"
    r"|(?<=[^\s+=]\+)\+{0,3}(?=[^\s+])"
    r"|(?<=[^\x00-\x7f])[^\x00-\x7f]*)"
)
"""An escape, an entity, a plus sign or a run of letters beyond ASCII. Its first character is a set
of its own, for which `re` skips through a text; the alternatives look back at it."""
_FORM = re.compile(
    r"(?:(?<=[?&])|\A|(?:(?<=: )|(?<=\n))(?=[^\s&]{3,400}&))"
    r"[\w.%~-]{1,60}=[^\s&#\"'<>+=]{1,200}\+[^\s&#\"'<>]{1,2000}"
)
"""A value of a form or query where a plus sign means a space (WHATWG, URL 5)."""
_ESCAPED = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt]))")
_PERCENT = re.compile(r"%(?:25)+")
_AMPERSAND = re.compile(r"&(?:amp;)+")
_WHITE = {"n": "\n", "r": "\r", "t": "\t"}
_DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")
_DROPPED = frozenset({"Cf", "Mn", "Me"})


@dataclass(frozen=True, slots=True)
class NormalisedText:
    """A normalised text with the origins of its characters.

    ``starts`` and ``origins`` are parallel: from ``starts[i]`` on, the characters come from
    ``origins[i]`` on (one for one if ``copied[i]``, else all from the stretch that ends at
    ``origins[i + 1]``).
    """

    text: str
    starts: tuple[int, ...]
    origins: tuple[int, ...]
    copied: tuple[bool, ...]
    length: int

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text that ``text[start:end]`` comes from."""
        first = bisect_right(self.starts, start) - 1
        last = bisect_right(self.starts, end - 1) - 1
        begin = self.origins[first] + (start - self.starts[first] if self.copied[first] else 0)
        if self.copied[last]:
            return begin, self.origins[last] + end - self.starts[last]
        return begin, self.origins[last + 1] if last + 1 < len(self.origins) else self.length


def normalise(text: str) -> NormalisedText | None:
    """Return the normalised text, or None if it equals the text."""
    forms = _form_values(text)
    if not forms and text.isascii() and not ("\\" in text or "%" in text or "&" in text):
        return None
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    copied: list[bool] = []
    consumed = length = 0
    for match in _UNIT.finditer(text):
        unit = match[0]
        is_space = unit[0] == "+" and _is_within(forms, match.start())
        plain = " " * len(unit) if is_space else _normalise_unit(unit)
        if plain == unit:
            continue
        start = match.start()
        if start > consumed:
            starts.append(length)
            origins.append(consumed)
            copied.append(True)
            pieces.append(text[consumed:start])
            length += start - consumed
        if plain:
            starts.append(length)
            origins.append(start)
            copied.append(False)
            pieces.append(plain)
            length += len(plain)
        consumed = match.end()
    if not consumed:
        return None
    if consumed < len(text):
        starts.append(length)
        origins.append(consumed)
        copied.append(True)
        pieces.append(text[consumed:])
    if not pieces:
        return None
    return NormalisedText("".join(pieces), tuple(starts), tuple(origins), tuple(copied), len(text))


def map_to_original(normal: NormalisedText, findings: Iterable[PiiFinding]) -> Iterator[PiiFinding]:
    """Yield findings in a normalised text with their original spans and normalised values."""
    for finding in findings:
        start, end = normal.original(finding.start, finding.end)
        yield finding.reading(normal.text[finding.start : finding.end]).at(start, end)


def _form_values(text: str) -> list[tuple[int, int]]:
    """Return the spans of form values that contain a plus sign."""
    if "+" not in text or "=" not in text:
        return []
    return [match.span() for match in _FORM.finditer(text)]


def _is_within(spans: Sequence[tuple[int, int]], position: int) -> bool:
    index = bisect_right(spans, (position, sys.maxsize)) - 1
    return index >= 0 and position < spans[index][1]


def _normalise_unit(unit: str) -> str:
    """Return the normalised form of a run of disguised characters."""
    if unit[0] == "\\":
        unit = _ESCAPED.sub(_unescape, unit)
        unit = unit.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    elif unit[0] == "%":
        unit = unquote_to_bytes(_PERCENT.sub("%", unit)).decode("utf-8", "replace")
    elif unit[0] == "&":
        unit = html.unescape(_AMPERSAND.sub("&", unit))
    return unit if unit.isascii() else "".join(map(_fold, unicodedata.normalize("NFKC", unit)))


def _unescape(match: re.Match[str]) -> str:
    if match[3]:
        return _WHITE[match[3]]
    return chr(int(match[1] or match[2], 16))


def _fold(character: str) -> str:
    if character < "\x80":
        return character
    if character in _DASHES:
        return "-"
    category = unicodedata.category(character)
    if category in _DROPPED:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return character
