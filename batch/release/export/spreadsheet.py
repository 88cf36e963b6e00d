"""A release as CSV that a spreadsheet shows as it is, and runs nothing of.

It begins with a byte order mark, by which spreadsheets know UTF-8. What is nested is JSON text.
Texts that a spreadsheet would take for a formula get a quote before (OWASP, CSV injection), also
those whose sign stands behind white space or is a full-width one.
"""

import codecs
import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from batch.release.format.rows import SALT, SCHEMA

LONGEST: Final = 32_767
"""So many characters a cell of Excel can hold; of longer ones the end is lost."""

NULL: Final = "\0"
REPLACED: Final = "\ufffd"
"""What stands for U+0000, at which many readers end a cell, or refuse the file."""

_STARTS: Final = frozenset("=+-@")
_COLUMNS: Final = tuple(column for column in SCHEMA.names if column != SALT)


class LongCell(NamedTuple):
    """A cell that a spreadsheet cuts: its row (the head is row 1), column, and how long it is."""

    row: int
    column: str
    characters: int


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows (JSON values) as CSV, without their salts."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(row[column]) for column in _COLUMNS] for row in rows)
    return codecs.BOM_UTF8 + sink.getvalue().encode()


def long_cells(rows: Sequence[Mapping[str, Any]]) -> list[LongCell]:
    """Return the cells that are longer than a spreadsheet can hold."""
    return [
        LongCell(number, column, len(cell))
        for number, row in enumerate(rows, 2)
        for column in _COLUMNS
        if isinstance(cell := _cell(row[column]), str) and len(cell) > LONGEST
    ]


def canonical_text(value: Any) -> str:
    """Return a value as JSON text, the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return canonical_text(value)
    if isinstance(value, str):
        plain = value.replace(NULL, REPLACED)
        return f"'{plain}" if _runs(value) else plain
    return "" if value is None else value


def _runs(text: str) -> bool:
    """Tell whether a spreadsheet may take a text for a formula, or a command of its own."""
    if text[:1] in {"\t", "\r"}:
        return True
    first = next((c for c in text if not (c.isspace() or unicodedata.category(c)[0] == "C")), "")
    return unicodedata.normalize("NFKC", first) in _STARTS
