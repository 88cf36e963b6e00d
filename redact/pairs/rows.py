"""Reads rows after a list of names: SQL's ``INSERT``, and columns aligned by spaces."""

import re
from collections.abc import Iterator

from redact.pairs.field_words import is_field_name
from redact.pairs.pair import KeyValuePair, ValueForm

_INSERT = re.compile(
    r"\binto\s{1,20}+[\w.\"`\[\]]{1,100}+\s{0,20}+\(([^()]{1,3000}+)\)\s{0,20}+values\s{0,20}+",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"\s{0,40}+(?:[NE]?'((?:[^']++|''){0,2000}+)'|\"([^\"]{0,2000}+)\"|([^,()'\"\s][^,()'\"\n]{0,200}+))"
    r"\s{0,40}+([,)])?"
)
_ROW = re.compile(r"\s{0,40}+,?\s{0,40}+\(")
_HEADER = re.compile(
    r"^[ ]{0,40}+[^\W\d]\S{0,60}+(?:[ ]{1,60}+[^\W\d]\S{0,60}+){1,60}+(?<![:;,({])[ ]*\r?$", re.M
)
_WIDE = re.compile(r"\S+(?:[ ]\S+)*")
_WORDS = re.compile(r"\S+")
_RULE = re.compile(r"[ \t]*[-=\u2500][-=\u2500 \t]*$", re.MULTILINE)
_NUMBER = re.compile(r"-?[0-9.]+\Z")


def read_inserts(text: str, first: int) -> tuple[list[KeyValuePair], int]:
    """Return the values of ``INSERT INTO t (a, b) VALUES (..), (..)``, and the next free owner."""
    pairs: list[KeyValuePair] = []
    for statement in _INSERT.finditer(text):
        names = [name.strip(" \t\r\n\"`[]'") for name in statement[1].split(",")]
        position = statement.end()
        while True:
            row = _ROW.match(text, position)
            if row is None:
                break
            first += 1
            position = row.end()
            for name in names:
                value = _VALUE.match(text, position)
                if value is None:
                    break
                position = value.end()
                pairs.append(_sql_pair(name, value, first))
                if value[4] != ",":
                    break
            else:
                break
    return pairs, first + 1


def _sql_pair(name: str, value: re.Match[str], owner: int) -> KeyValuePair:
    start, end = next(value.span(n) for n in (1, 2, 3) if value[n] is not None)
    raw = value.string[start:end]
    if value[1] is not None:
        return KeyValuePair(name, start, end, raw.replace("''", "'"), owner, "python_string")
    if value[2] is not None:
        return KeyValuePair(name, start, end, raw, owner, "json_string")
    bare = raw.rstrip()
    form: ValueForm = "python_number" if _NUMBER.match(bare) else "bare"
    return KeyValuePair(name, start, start + len(bare), bare, owner, form, "'")


def read_aligned_tables(text: str, first: int) -> tuple[list[KeyValuePair], int]:
    """Return the cells of tables aligned by spaces, and the next free owner.

    Headings are recognised by a field word. A first column without a heading is an index.
    """
    pairs: list[KeyValuePair] = []
    position = 0
    while True:
        header = _HEADER.search(text, position)
        if header is None:
            return pairs, first
        position = header.end()
        if "  " not in header[0].strip() or not any(map(is_field_name, header[0].split())):
            continue
        cells, position, first = _aligned_rows(text, header, first)
        pairs += cells


def _aligned_rows(
    text: str, header: re.Match[str], first: int
) -> tuple[list[KeyValuePair], int, int]:
    pairs: list[KeyValuePair] = []
    position = header.end() + 1
    names = {pattern: pattern.findall(header[0]) for pattern in (_WIDE, _WORDS)}
    while position < len(text):
        rule = _RULE.match(text, position)
        if rule is not None:
            position = rule.end() + 1
            continue
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        cells = next(_cells(text, position, end, names), None)
        if cells is None:
            break
        first += 1
        pairs += [KeyValuePair(name, m.start(), m.end(), m[0], first, "cell") for name, m in cells]
        position = end + 1
    return pairs, min(max(position - 1, header.end()), len(text)), first + 1


def _cells(
    text: str, position: int, end: int, names: dict[re.Pattern[str], list[str]]
) -> Iterator[list[tuple[str, re.Match[str]]]]:
    """Yield the cells of a row with their headings, split by two spaces, else by one."""
    for pattern, heads in names.items():
        if len(heads) < 2:
            continue
        cells = list(pattern.finditer(text, position, min(end, position + 2_000)))
        over = len(cells) - len(heads)
        if over == 0 or (over == 1 and cells[0][0].isalnum()):
            yield list(zip(heads, cells[over:], strict=True))
