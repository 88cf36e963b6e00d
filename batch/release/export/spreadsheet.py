"""Writes a release as CSV that spreadsheets show unchanged, and never execute.

The file begins with a byte order mark, so that spreadsheets recognise UTF-8. Nested values are JSON
text. Texts that a spreadsheet would read as a formula get a leading quote (OWASP, CSV injection),
even if the sign follows white space or is full-width.
"""

import codecs
import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from batch.release.format.rows import SALT, release_schema

LONGEST: Final = 32_767
"""The most characters that a cell of Excel can hold; longer texts are cut."""

NULL: Final = "\0"
REPLACED: Final = "\ufffd"
"""The replacement for U+0000, at which many readers end a cell or reject the file."""

_STARTS: Final = frozenset("=+-@")


class LongCell(NamedTuple):
    """A cell that a spreadsheet cuts: its row (the header is row 1), column, and length."""

    row: int
    column: str
    characters: int


def csv_bytes(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows (JSON values) as CSV, without their salts."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    columns = _columns(rows)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return codecs.BOM_UTF8 + sink.getvalue().encode()


def long_cells(rows: Sequence[Mapping[str, object]]) -> list[LongCell]:
    """Return the cells that are longer than a spreadsheet can hold."""
    return [
        LongCell(line, column, len(cell))
        for line, row in enumerate(rows, 2)
        for column in _columns(rows)
        if isinstance(cell := _cell(row[column]), str) and len(cell) > LONGEST
    ]


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    names = release_schema([*rows[0]] if rows else []).names
    return [column for column in names if column != SALT]


def canonical_text(value: object) -> str:
    """Return a value as JSON text, the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return canonical_text(value)
    if isinstance(value, str):
        plain = value.replace(NULL, REPLACED)
        return f"'{plain}" if _is_formula(value) else plain
    return "" if value is None else value


def _is_formula(text: str) -> bool:
    """Return whether a spreadsheet may read a text as a formula or a command."""
    if text[:1] in {"\t", "\r"}:
        return True
    first = next((c for c in text if not (c.isspace() or unicodedata.category(c)[0] == "C")), "")
    return unicodedata.normalize("NFKC", first) in _STARTS
