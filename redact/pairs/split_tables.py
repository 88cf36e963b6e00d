"""Reads tables with separate headings: ``{"columns": ["ssn"], "data": [["..."]]}``.

Dataframes, query engines and spreadsheets print tables like this, as JSON, as Python's ``repr``, or
as YAML lists. A list of lists may also begin with its headings.
"""

import re
from collections.abc import Iterator

from redact.pairs.field_words import are_field_names
from redact.pairs.items import ValueLiteral
from redact.pairs.literals import read_call, read_number, read_string
from redact.pairs.pair import KeyValuePair

_SIGNS = (":", "=")
_MOST_SPACES = 10
"""Between the sign after a key and the list."""
_HEADS = re.compile(
    r"(?<![A-Za-z])(?:columns?|(?:column|col|field)_?names|cols|headers?|headings|fields|names|keys)"
    r"[\"']?\s{0,10}+\Z",
    re.IGNORECASE,
)
_ROWS = re.compile(
    r"(?<![A-Za-z])(?:data|rows?|values|records|results?|items|body|tuples|cells)[\"']?\s{0,10}+\Z",
    re.IGNORECASE,
)
_LONGEST_KEY = 24
_LISTED = re.compile(r"[\[(]\s{0,20}+[\[(]\s{0,20}+[\"']")
_NAMED = re.compile(
    r"[\"'](?:name|column|column_name|field|id|key|label)[\"']\s{0,5}+:\s{0,5}+[\"']([^\"'\n]{1,60}+)[\"']"
)
_STEP = re.compile(r"[\s,]{0,80}+")
_BARE = re.compile(r"[^\s,\[\](){}\"']{1,200}+")
_OPENS = ("[", "(")
_CLOSES = ("]", ")")
_FAR = 4_000
_MOST_COLUMNS = 200
_MOST_ROWS = 5_000


def read_split_tables(text: str, first: int) -> tuple[list[KeyValuePair], int]:
    """Return the cells of tables with separate headings, and the next free owner."""
    pairs: list[KeyValuePair] = []
    consumed = 0
    for heads in _lists(text, _HEADS, 0, len(text)):
        if heads < consumed:
            continue
        names, after = _names(text, heads)
        rows = next(_lists(text, _ROWS, after, after + _FAR), None) if names else None
        if rows is not None:
            rows_of_table, consumed, first = _rows(text, rows, names, first)
            pairs += rows_of_table
    consumed = 0
    for listed in _LISTED.finditer(text):
        if listed.start() < consumed:
            continue
        cells, after = _cells(text, listed.end() - 1)
        names = [cell.value for cell in cells]
        if len(names) > 1 and are_field_names(names) and not any(map(_has_digit, names)):
            rows_of_table, consumed, first = _rows(text, after, names, first)
            pairs += rows_of_table
    return pairs, first


def may_hold_split_table(text: str) -> bool:
    """Return whether a text could contain such a table: a cheap check before the others."""
    if "[" not in text:
        return False
    heads = next(_lists(text, _HEADS, 0, len(text)), None)
    return heads is not None or _LISTED.search(text) is not None


def _lists(text: str, key: re.Pattern[str], start: int, end: int) -> Iterator[int]:
    """Yield the positions after the brackets that open a list under a key."""
    bracket = text.find("[", start, end)
    while bracket >= 0:
        sign = bracket - 1
        while sign > start and bracket - sign <= _MOST_SPACES and text[sign].isspace():
            sign -= 1
        if (
            sign >= start
            and text[sign] in _SIGNS
            and key.search(text, max(sign - _LONGEST_KEY, 0), sign)
        ):
            yield bracket + 1
        bracket = text.find("[", bracket + 1, end)


def _has_digit(name: str) -> bool:
    return any(map(str.isdigit, name))


def _names(text: str, position: int) -> tuple[list[str], int]:
    """Return the headings of a list that begins at a position, and its end."""
    step = _STEP.match(text, position)
    position = step.end() if step else position
    if text[position : position + 1] == "{":
        end = text.find("]", position, position + _FAR)
        end = len(text) if end < 0 else end
        return [match[1] for match in _NAMED.finditer(text, position, end)], end
    cells, after = _cells(text, position)
    return [cell.value for cell in cells], after


def _cells(text: str, position: int) -> tuple[list[ValueLiteral], int]:
    """Return the values of a row, and where it ends; none of a row that holds lists or objects."""
    cells: list[ValueLiteral] = []
    while len(cells) < _MOST_COLUMNS:
        step = _STEP.match(text, position)
        position = step.end() if step else position
        if text[position : position + 1] in _CLOSES:
            return cells, position + 1
        cell = (
            read_string(text, position)
            or read_number(text, position, '"')
            or read_call(text, position, '"')
        )
        if cell is None:
            word = _BARE.match(text, position)
            if word is None:
                return [], position
            cell = ValueLiteral(position, word.end(), word[0], "bare", word.end())
        cells.append(cell)
        if not cell.closed:
            break
        position = cell.after
    return cells, position


def _rows(
    text: str, position: int, names: list[str], first: int
) -> tuple[list[KeyValuePair], int, int]:
    """Return the pairs of the rows that begin at a place, where they end, and the next owner."""
    pairs: list[KeyValuePair] = []
    quote = "'" if "'" in text[max(position - 80, 0) : position] else '"'
    for _ in range(_MOST_ROWS):
        step = _STEP.match(text, position)
        begin = step.end() if step else position
        inside = text[begin : begin + 1] in _OPENS
        if not inside and pairs:
            break
        cells, position = _cells(text, begin + inside)
        if not cells:
            break
        if len(cells) == len(names) or (len(cells) < len(names) and not cells[-1].closed):
            pairs += _of_row(names, cells, first, quote)
            first += 1
        if not inside:
            break
    return pairs, position, first + 1


def _of_row(
    names: list[str], cells: list[ValueLiteral], owner: int, quote: str
) -> Iterator[KeyValuePair]:
    for name, cell in zip(names, cells, strict=False):
        if cell.value and cell.start < cell.end:
            is_string = cell.form in ("json_string", "python_string")
            yield KeyValuePair(
                name, cell.start, cell.end, cell.value, owner, cell.form, "" if is_string else quote
            )
