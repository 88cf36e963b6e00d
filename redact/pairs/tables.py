"""Tables with a line of headings: CSV and its kin, Markdown, and tables drawn with lines."""

import re
from collections.abc import Iterator

import msgspec

from redact.pairs.escapes import read
from redact.pairs.pair import Form, Pair

_MAX_COLUMNS = 200
_MAX_CELL = 4_000
_HEAD = r"[ ]{0,60}+(?:\"[^\"\n]{1,60}+\"|'[^'\n]{1,60}+'|[*_`]{0,3}+[^\W\d_%s][^\"\n%s]{0,60}+|[ #]?)[ ]{0,60}+"
_PIPE = "|\u2502\u2503\u2551"
_SEPARATORS = {"\t": "\t", ";": ";", ",": ",", "|": _PIPE}
_BORDER = re.compile(r"[ \t]*(?=[|+:=\u2500-\u257f-]{2})[\s|+:=\u2500-\u257f-]*?$", re.MULTILINE)
_QUOTED = re.compile(r'[ ]*"([^"]*+(?:""[^"]*+)*+)"[ ]*(?=[%s\r\n]|\Z)'.replace("%s", "\t;,|"))
_MARKS = " \t\r*_`"
_FIELD_HEADS = frozenset(
    "field fields key property attribute parameter item column label name detail details "
    "feld merkmal attribut champ campo propriedad propiedad atributo veld pole".split()
)
_VALUE_HEADS = frozenset(
    "value values content data detail details answer info information wert inhalt valeur "
    "valor valore waarde wartosc warto\u015b\u0107 dato \u503c \u5024".split()
)


def _heading_lines(separator: str) -> re.Pattern[str]:
    signs = re.escape(_SEPARATORS[separator])
    cell = _HEAD % (signs, signs)
    edge = f"[{signs}]?" if separator == "|" else ""
    return re.compile(rf"^[ \t]{{0,20}}{edge}{cell}(?:[{signs}]{cell})+\r?$", re.MULTILINE)


_HEADINGS = {separator: _heading_lines(separator) for separator in _SEPARATORS}
_SPLIT = {
    separator: re.compile(rf"(?:\\.|[^\n{re.escape(signs)}\\]++|\\)*+")
    for separator, signs in _SEPARATORS.items()
}


class Cell(msgspec.Struct, gc=False):
    """A field of a row: the place of its value, and what it reads as."""

    start: int
    end: int
    value: str
    form: Form
    quote: str


def tables(text: str, first: int) -> tuple[list[Pair], int]:
    """Return the cells of all tables, each under its heading, and the next free owner.

    The owner of a cell is its row.
    """
    found: list[Pair] = []
    for separator, signs in _SEPARATORS.items():
        if separator not in text and not (separator == "|" and any(s in text for s in signs)):
            continue
        place = 0
        while True:
            line = _HEADINGS[separator].search(text, place)
            if line is None:
                break
            table = _Table(text, line.start(), separator)
            if table.is_table():
                pairs = list(table.pairs(first))
                first = pairs[-1].owner + 1 if pairs else first
                found += pairs
            place = max(table.end, line.end())
    return found, first


class _Table:
    def __init__(self, text: str, place: int, separator: str) -> None:
        self._text = text
        self._separator = separator
        self._signs = _SEPARATORS[separator]
        self._heads, self._body = self._row(place)
        self._names = [re.sub(r"\s+", " ", cell.value) for cell in self._heads]
        self.ruled = False
        self.end = self._body

    def is_table(self) -> bool:
        """Say whether the headings are words, and a row of as many cells follows."""
        named = [name for name in self._names if name]
        if len(self._heads) < 2 or len(named) < len(self._heads) - 1 or not named:
            return False
        if any(len(name.split()) > 5 or name[-1] in ".!?" for name in named):
            return False
        self._body, self.ruled = self._skip_border(self._body)
        cells, _ = self._row(self._body)
        if self._separator == "|":
            return len(cells) > 1
        return len(cells) == len(self._heads) or bool(cells) and self._is_cut(self._body)

    def pairs(self, first: int) -> Iterator[Pair]:
        """Yield the pairs of all rows; owners are counted from ``first``."""
        place, size = self._body, len(self._text)
        owner = first
        columns = len(self._heads)
        while place < size:
            place, _ = self._skip_border(place)
            cells, after = self._row(place)
            if len(cells) != columns and not (self._separator == "|" and len(cells) > 1):
                if not (len(cells) > 1 and self._is_cut(place)):
                    break
            yield from self._by_name(cells, owner)
            yield from self._by_first(cells, owner, first)
            owner += 1
            place = after
            self.end = after

    def _is_cut(self, place: int) -> bool:
        return self._text.find("\n", place) < 0

    def _skip_border(self, place: int) -> tuple[int, bool]:
        border = _BORDER.match(self._text, place) if self._separator == "|" else None
        if border is None or border.end() == place:
            return place, False
        return border.end() + 1, True

    def _by_name(self, cells: list[Cell], owner: int) -> Iterator[Pair]:
        if len(self._names) == 2 and self._names[1].lower() in _VALUE_HEADS:
            return
        for name, cell in zip(self._names, cells, strict=False):
            if name and cell.value:
                yield Pair(name, cell.start, cell.end, cell.value, owner, cell.form, cell.quote)

    def _by_first(self, cells: list[Cell], owner: int, first: int) -> Iterator[Pair]:
        """Yield the pairs of a table whose first column holds the keys."""
        if self._names[0].lower() not in _FIELD_HEADS and self._names[0]:
            if len(self._names) != 2 or self._names[1].lower() not in _VALUE_HEADS:
                return
        key = cells[0].value
        if not key[:1].isalpha() or len(key) > 60:
            return
        for number, cell in enumerate(cells[1 : len(self._names)]):
            if cell.value:
                yield Pair(
                    key, cell.start, cell.end, cell.value, first + number, cell.form, cell.quote
                )

    def _row(self, place: int) -> tuple[list[Cell], int]:
        """Return the cells of the row that begins at a place, and where the next one begins."""
        text, size = self._text, len(self._text)
        cells: list[Cell] = []
        if self._separator == "|":
            edge = re.compile(rf"[ \t]*[{self._signs}]").match(text, place)
            place = edge.end() if edge else place
        while len(cells) < _MAX_COLUMNS:
            quoted = _QUOTED.match(text, place, min(size, place + _MAX_CELL))
            if quoted is not None:
                start, end = quoted.span(1)
                cells.append(Cell(start, end, read(quoted[1], "cell"), "cell", ""))
                place = quoted.end()
            else:
                found = _SPLIT[self._separator].match(text, place)
                end = found.end() if found else place
                cells.append(self._bare(place, end))
                place = end
            if place >= size or text[place] not in self._signs:
                break
            place += 1
        if self._separator == "|" and len(cells) > 1 and not cells[-1].value:
            cells.pop()
        end = text.find("\n", place)
        return cells, size if end < 0 else end + 1

    def _bare(self, start: int, end: int) -> Cell:
        raw = self._text[start:end]
        value = raw.lstrip(_MARKS)
        start += len(raw) - len(value)
        value = value.rstrip(_MARKS)
        if len(value) > 1 and value[0] == value[-1] == "'":
            start, value = start + 1, value[1:-1]
        return Cell(start, start + len(value), value, "cell", "")
