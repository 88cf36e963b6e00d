"""Reads tables with a header line: CSV and similar, Markdown, and drawn tables."""

import re
from collections.abc import Iterator

from redact.pairs.escapes import read_value
from redact.pairs.field_words import are_field_names, is_field_name
from redact.pairs.items import TableCell
from redact.pairs.pair import KeyValuePair

_MAX_COLUMNS = 200
_MAX_CELL = 4_000
_HEAD = (
    r"[ ]{0,60}+(?:\"[^\"\n]{1,60}+\"|'[^'\n]{1,60}+'"
    r"|[*_`]{0,3}+[^\W\d_%s][^\"\n:=<>{}%s]{0,60}+|[ #]?)[ ]{0,60}+"
)
_PIPE = "|\u2502\u2503\u2551"
_SEPARATORS = {"\t": "\t", ";": ";", ",": ",", "|": _PIPE}
_BORDER = re.compile(r"[ \t]*(?=[|+:=\u2500-\u257f-]{2})[\s|+:=\u2500-\u257f-]*?$", re.MULTILINE)
_QUOTED = re.compile(r'[ ]*"([^"]*+(?:""[^"]*+)*+)"[ ]*(?=[%s\r\n]|\Z)'.replace("%s", "\t;,|"))
_EDGE = re.compile(rf"[ \t]*[{_PIPE}]")
_MARKS = " \t\r*_`"
_PLAIN_HEADS = frozenset(
    [
        *("field", "fields", "key", "property", "attribute", "parameter", "setting", "variable"),
        *("feld", "merkmal", "attribut", "champ", "campo", "propiedad", "atributo", "veld", "pole"),
        *("\u043f\u043e\u043b\u0435", "\u5b57\u6bb5", "\u9805\u76ee"),
    ]
)
_VALUE_HEADS = frozenset(
    [
        *("value", "values", "content", "data", "detail", "details", "answer", "information"),
        *("wert", "inhalt", "valeur", "valor", "valore", "waarde", "warto\u015b\u0107", "dato"),
        *("\u0437\u043d\u0430\u0447\u0435\u043d\u0438\u0435", "\u503c", "\u5024", "\uac12"),
    ]
)


def _heading_lines(separator: str) -> re.Pattern[str]:
    signs = re.escape(_SEPARATORS[separator])
    cell = _HEAD % (signs, signs)
    edge = f"[{signs}]?" if separator == "|" else ""
    return re.compile(rf"^[ ]{{0,20}}+{edge}{cell}(?:[{signs}]{cell})+\r?$", re.MULTILINE)


_HEADINGS = {separator: _heading_lines(separator) for separator in _SEPARATORS}
_SPLIT = {
    separator: re.compile(rf"(?:\\.|[^\n{re.escape(signs)}\\]++|\\)*+")
    for separator, signs in _SEPARATORS.items()
}


def read_tables(text: str, first: int) -> tuple[list[KeyValuePair], list[tuple[int, int]], int]:
    """Return the cells of all tables, the spans of their headings, and the next free owner.

    Each cell has its heading as key and its row as owner.
    """
    all_pairs: list[KeyValuePair] = []
    heads: list[tuple[int, int]] = []
    every = [table for separator in _SEPARATORS for table in _tables(text, separator)]
    end = 0
    for table in sorted(every, key=lambda table: table.start):
        if table.start < end:
            continue  # looks like a table inside the cells of another one
        end = table.end
        pairs = list(table.pairs(first))
        first = max((pair.owner for pair in pairs), default=first) + 1
        all_pairs += pairs
        if pairs and pairs[0].start >= table.body:
            heads.append((table.start, table.body))
    return all_pairs, heads, first


def _tables(text: str, separator: str) -> Iterator["_Table"]:
    """Yield the tables with a separator."""
    if not any(sign in text for sign in _SEPARATORS[separator]):
        return
    position = 0
    search = _HEADINGS[separator].search
    while (line := search(text, position)) is not None:
        table = _Table(text, line.start(), separator)
        if table.rows:
            yield table
        position = max(table.end, line.end())


class _Table:
    def __init__(self, text: str, position: int, separator: str) -> None:
        self._text = text
        self._separator = separator
        self._signs = _SEPARATORS[separator]
        self._heads, self.body = self._row(position)
        self._names = [re.sub(r"\s+", " ", cell.value) for cell in self._heads]
        self.ruled = False
        self.start = position
        self.end = self.body
        self.rows = list(self._rows()) if self._is_table() else []

    def _is_table(self) -> bool:
        """Return whether the headings are words, and a row with as many cells follows."""
        named = [name for name in self._names if name]
        if len(self._heads) < 2 or not named or len(named) < len(self._heads) - 1:
            return False
        if self._separator in ",;" and not self._names[-1]:
            return False  # lines of source code or of a list, each with a comma
        if any(len(name.split()) > 5 or name[-1] in ".!?" for name in named):
            return False
        self.body, self.ruled = self._skip_border(self.body)
        cells, _ = self._row(self.body)
        if self._separator == "|":
            return len(cells) > 1
        return len(cells) == len(self._heads) or (bool(cells) and self._is_cut(self.body))

    def pairs(self, first: int) -> Iterator[KeyValuePair]:
        """Yield the pairs of all rows; owners are counted from ``first``."""
        rows = self.rows
        if self._has_keys_first():
            for cells in rows if self._is_headed() else [self._heads, *rows]:
                yield from _by_first(cells, first)
            return
        for index, cells in enumerate(rows):
            for name, cell in zip(self._names, cells, strict=False):
                if name and cell.value:
                    owner = first + index
                    yield KeyValuePair(name, cell.start, cell.end, cell.value, owner, cell.form)

    def _rows(self) -> Iterator[list[TableCell]]:
        position, size, columns = self.body, len(self._text), len(self._heads)
        pipes = self._separator == "|"
        while position < size:
            position, _ = self._skip_border(position)
            cells, after = self._row(position)
            fits = len(cells) == columns or (len(cells) > 1 and (pipes or self._is_cut(position)))
            if not fits:
                break
            yield cells
            position = self.end = after

    def _is_headed(self) -> bool:
        """Return whether the first line has headings, if the first column has keys."""
        first, second = self._names[0].lower(), self._names[1].lower()
        if not first or first in _PLAIN_HEADS or second in _VALUE_HEADS:
            return True
        return self.ruled and not any(sign.isdigit() or sign == "@" for sign in second)

    def _has_keys_first(self) -> bool:
        """Return whether the first column has the keys of the others."""
        first, second = self._names[0].lower(), self._names[1].lower()
        keys = are_field_names([cells[0].value for cells in self.rows[:20]])
        alone = len(self._names) == 2 and not is_field_name(first)
        if first in _PLAIN_HEADS or (second in _VALUE_HEADS and (keys or alone)):
            return True
        if not first or len(self._names) == 2:
            if first and _is_code(second) and not any(map(_has_digit, [r[0] for r in self.rows])):
                return True
            return keys and not (first and is_field_name(second))
        return False

    def _is_cut(self, position: int) -> bool:
        return self._text.find("\n", position) < 0

    def _skip_border(self, position: int) -> tuple[int, bool]:
        border = _BORDER.match(self._text, position) if self._separator == "|" else None
        if border is None or border.end() == position:
            return position, False
        return border.end() + 1, True

    def _row(self, position: int) -> tuple[list[TableCell], int]:
        """Return the cells of the row that begins at a position, and the start of the next one."""
        text, size = self._text, len(self._text)
        cells: list[TableCell] = []
        if self._separator == "|":
            edge = _EDGE.match(text, position)
            position = edge.end() if edge else position
        while len(cells) < _MAX_COLUMNS:
            quoted = _QUOTED.match(text, position, min(size, position + _MAX_CELL))
            if quoted is not None:
                start, end = quoted.span(1)
                cells.append(TableCell(start, end, read_value(quoted[1], "cell"), "cell"))
                position = quoted.end()
            else:
                match = _SPLIT[self._separator].match(text, position)
                end = match.end() if match else position
                cells.append(self._bare(position, end))
                position = end
            if position >= size or text[position] not in self._signs:
                break
            position += 1
        if self._separator == "|" and len(cells) > 1 and not cells[-1].value:
            cells.pop()
        end = text.find("\n", position)
        return cells, size if end < 0 else end + 1

    def _bare(self, start: int, end: int) -> TableCell:
        raw = self._text[start:end]
        value = raw.lstrip(_MARKS)
        start += len(raw) - len(value)
        value = value.rstrip(_MARKS)
        if len(value) > 1 and value[0] == value[-1] == "'":
            start, value = start + 1, value[1:-1]
        return TableCell(start, start + len(value), value, "cell")


_MOST_DIGITS = 4
"""Maximum digits of a key; one with more is a code."""


def _is_code(name: str) -> bool:
    """Return whether what stands in the place of a heading is a value: a long code."""
    return (
        len(name) >= _SHORTEST_CODE
        and " " not in name
        and any(map(str.isdigit, name))
        and any(map(str.isalpha, name))
    )


_SHORTEST_CODE = 12


def _has_digit(cell: TableCell) -> bool:
    return any(map(str.isdigit, cell.value))


def _by_first(cells: list[TableCell], first: int) -> Iterator[KeyValuePair]:
    """Yield the cells of a row with the first one as key; the owner of a cell is its column."""
    key = cells[0].value.rstrip(": ")
    if not key[:1].isalpha() or len(key) > 60 or sum(map(str.isdigit, key)) > _MOST_DIGITS:
        return
    for index, cell in enumerate(cells[1:]):
        if cell.value:
            yield KeyValuePair(key, cell.start, cell.end, cell.value, first + index, cell.form)
