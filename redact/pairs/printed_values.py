"""Reads values printed with their names: forms, database errors, checks, PHP and R dumps."""

import re
from collections.abc import Iterator

from redact.pairs.pair import UnownedPair

_PART = re.compile(
    r"\bform-data;[^\n]{0,200}?\bname=\"?([^\"\r\n;]{1,80}+)\"?[^\n]{0,200}\n"
    r"(?:[A-Za-z-]{1,40}+:[^\n]{0,200}+\n){0,4}+\r?\n"
    r"([^\r\n]{1,500}+)(?=\r?\n(?:--|\r?\n|\Z)|\Z)"
)
_SERIALISED = re.compile(
    r"\bs:\d{1,4}+:\"([^\"\n]{1,80}+)\";(?:s:\d{1,6}+:\"([^\"\n]{0,500}+)\"|[id]:(-?[0-9.]{1,30}+));"
)
_R = re.compile(
    r"^\$`?([\w. ]{1,60}+)`?\r?\n\[1\][ ]{1,20}+(?:\"([^\"\n]{0,500}+)\"|(\S{1,200}+))", re.M
)
_KEY_DETAIL = re.compile(r"\bKey \(([^()\n]{1,300}+)\)=\(([^()\n]{0,1000}+)\)")
_DUPLICATE = re.compile(
    r"\b[Dd]uplicate entry '([^'\n]{1,300}+)' for key '(?:[\w$]{1,80}+\.)?([\w$.-]{1,80}+)'"
)
_OF_INDEX = re.compile(r"(?:_|\b)(?:unique|uniq|uk|uq|idx|index|key|pkey)(?:_|\b)", re.IGNORECASE)
_PYDANTIC = re.compile(
    r"^([A-Za-z_][\w.]{0,120}+)\r?\n[ ]{1,8}+[^\n]{0,400}?\binput_value=(?:'([^'\n]{0,500}+)'|"
    r"\"([^\"\n]{0,500}+)\"|([0-9][0-9.]{0,40}+))",
    re.M,
)
_LIKE = re.compile(
    r"\b([A-Za-z_][\w.\"`]{0,80}+)[ ]{1,4}+(?:not[ ]{1,4}+)?(?:i?like|in[ ]{0,4}+\()[ ]{0,4}+'%?"
    r"([^'%\n]{1,200}+)%?'",
    re.IGNORECASE,
)
_NEXT = re.compile(r"[ ]{0,4}+,[ ]{0,4}+'([^'\n]{1,200}+)'")


def read_printed_values(text: str) -> Iterator[UnownedPair]:
    """Yield the values that are printed with their names, in no order."""
    if "form-data" in text:
        yield from _plain(_PART, text)
    if ";s:" in text:
        yield from _plain(_SERIALISED, text)
    if "\n[1] " in text:
        yield from _plain(_R, text)
    if "Key (" in text:
        for match in _KEY_DETAIL.finditer(text):
            yield from _detail(match)
    if "uplicate entry '" in text:
        for match in _DUPLICATE.finditer(text):
            key = _OF_INDEX.sub("", match[2]) or match[2]
            yield UnownedPair(key, match.start(2), *match.span(1), match[1], "python_string")
    if "input_value=" in text:
        yield from _plain(_PYDANTIC, text)
    if "LIKE '" in text or "IN (" in text or "like '" in text or " in (" in text:
        yield from _compared(text)


def _plain(pattern: re.Pattern[str], text: str) -> Iterator[UnownedPair]:
    """Yield the matches of a pattern: the first group is the key, the other match the value."""
    for match in pattern.finditer(text):
        group = match.lastindex or 1
        if group > 1 and match[group]:
            yield UnownedPair(
                match[1].strip(), match.start(1), *match.span(group), match[group], "bare"
            )


def _detail(match: re.Match[str]) -> Iterator[UnownedPair]:
    """Yield the values of PostgreSQL's `Key (first_name, ssn)=(Mia, 521438871) ...`."""
    names, values = match[1].split(", "), match[2].split(", ")
    if len(names) != len(values):
        return
    position = match.start(2)
    for name, value in zip(names, values, strict=True):
        if value:
            yield UnownedPair(
                name.strip('"'), match.start(1), position, position + len(value), value, "bare"
            )
        position += len(value) + 2


def _compared(text: str) -> Iterator[UnownedPair]:
    """Yield the values of SQL's `name LIKE 'x%'` and `name IN ('x', 'y')`."""
    for match in _LIKE.finditer(text):
        key = match[1].rpartition(".")[2].strip('"`')
        yield UnownedPair(key, match.start(1), *match.span(2), match[2], "python_string")
        more = _NEXT.match(text, match.end())
        while more is not None:
            yield UnownedPair(
                key, match.start(1), *more.span(1), more[1], "python_string", more=True
            )
            more = _NEXT.match(text, more.end())
