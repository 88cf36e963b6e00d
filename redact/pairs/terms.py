"""Reads HTML with a name beside a value: table rows, term lists, labels, bold words."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from redact.pairs.escapes import read_value
from redact.pairs.field_words import is_field_name
from redact.pairs.pair import KeyValuePair

_CDATA = "<![CDATA["
_TAGS = re.compile(r"<[^<>]{0,300}>")
_SPACES = re.compile(r"\s+")
_INNER = re.compile(
    r"(?:\s{0,40}+<[^<>/][^<>]{0,300}+>){1,5}+\s{0,40}+([^<>\s](?:[^<>]{0,500}[^<>\s])?)"
    r"(?:\s{0,40}+<[/b][^<>]{0,50}+>){1,5}+\s{0,40}+"
)
_BEHIND = re.compile(r"\s{0,20}+[:\uff1a]?(?:\s|&nbsp;){0,20}+([^<>\n]{1,300}+)(?=<|\n|\Z)")
_TERMS = frozenset({"dt", "label", "key"})
_LABELS = frozenset({"b", "strong", "em", "i", "u", "span", "div", "p", "label", "dt"})
_ANSWERS = frozenset(
    [
        *("dd", "span", "div", "p", "string", "integer", "real", "date", "value", "output", "em"),
        *("i", "b", "strong", "a", "text"),
    ]
)
_LONGEST = 60
_MAX_CELLS = 500


class _Cell(NamedTuple):
    head: bool
    words: str
    start: int
    end: int


class _Table:
    __slots__ = ("heads", "owner", "row", "row_owner")

    def __init__(self, owner: int, heads: list[str], row: list[_Cell], row_owner: int) -> None:
        self.owner = owner
        self.heads = heads
        self.row = row
        self.row_owner = row_owner


class HtmlTerms:
    """Remembers the last term, and the headings and the row of each open table."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tables: list[_Table] = []
        self._term = ""

    def open(self, name: str, owner: int) -> Iterator[KeyValuePair]:
        """Register the start of an element, by its name in lower case."""
        if name == "table":
            self._tables.append(_Table(owner, [], [], owner))
        elif name == "tr":
            yield from self._row()
            if not self._tables:
                self._tables.append(_Table(owner, [], [], owner))
            self._tables[-1].row_owner = owner

    def close(
        self, name: str, inner: tuple[int, int], after: int, owner: int
    ) -> Iterator[KeyValuePair]:
        """Yield the pairs that the end of an element completes.

        ``inner`` is the span of its content, ``after`` the position after its end, ``owner`` the
        element around it.
        """
        if name in ("td", "th"):
            self._cell(name == "th", *inner)
        elif name in ("tr", "table", "tbody"):
            yield from self._row()
            if name == "table" and self._tables:
                self._tables.pop()
        elif name in _LABELS or name in _ANSWERS or name in _TERMS:
            yield from self._word(name, inner, after, owner)

    def end(self) -> Iterator[KeyValuePair]:
        """Yield the pairs of a row still open at the end of the text."""
        yield from self._row()

    def _word(
        self, name: str, inner: tuple[int, int], after: int, owner: int
    ) -> Iterator[KeyValuePair]:
        start, end = inner
        words = html_text(self._text[start:end]) if end - start < 3 * _LONGEST else ""
        announces = words[-1:] in (":", "\uff1a") or self._text[after : after + 1] == ":"
        if name in _ANSWERS and self._term and not announces:
            yield from _pair_of_cell(self._text, self._term, start, end, owner)
            if name != "dd":
                self._term = ""
        elif (name in _TERMS or announces) and words and len(words) <= _LONGEST:
            self._term = words.rstrip(":\uff1a ")
            behind = _BEHIND.match(self._text, after) if announces else None
            if behind is not None and behind[1].strip(" :"):
                yield from _pair_of_cell(self._text, self._term, *behind.span(1), owner)
                self._term = ""

    def _cell(self, head: bool, start: int, end: int) -> None:  # noqa: FBT001
        if self._tables and len(self._tables[-1].row) < _MAX_CELLS:
            words = html_text(self._text[start:end]) if end - start < 400 else ""
            self._tables[-1].row.append(_Cell(head, words, start, end))

    def _row(self) -> Iterator[KeyValuePair]:
        """Yield the pairs of the finished row, and start another one."""
        table = self._tables[-1] if self._tables else None
        if table is None or not table.row:
            return
        row, table.row = table.row, []
        of_heads = [cell.head for cell in row]
        if all(of_heads) or (not table.heads and not any(of_heads) and _are_heads(row)):
            table.heads = [cell.words for cell in row]
        elif len(table.heads) == len(row) > 1:
            for head, cell in zip(table.heads, row, strict=True):
                yield from _pair_of_cell(self._text, head, cell.start, cell.end, table.row_owner)
        else:
            yield from self._beside(row, table)

    def _beside(self, row: list[_Cell], table: _Table) -> Iterator[KeyValuePair]:
        """Yield the cells of a row that a preceding cell names."""
        key = ""
        for cell in row:
            if cell.head or not key:
                key = cell.words.rstrip(":\uff1a ")
            else:
                yield from _pair_of_cell(self._text, key, cell.start, cell.end, table.owner)
                key = key if row[0].head else ""


def _are_heads(row: list[_Cell]) -> bool:
    return len(row) > 1 and all(is_field_name(cell.words) for cell in row)


def html_text(raw: str) -> str:
    """Return the text of an HTML fragment, without tags and in one line."""
    plain = _TAGS.sub(" ", raw) if "<" in raw else raw
    return _SPACES.sub(" ", read_value(plain, "xml")).strip()


def _pair_of_cell(text: str, key: str, start: int, end: int, owner: int) -> Iterator[KeyValuePair]:
    if text.find("<", start, end) >= 0 and not text.startswith(_CDATA, start):
        inner = _INNER.fullmatch(text, start, end)
        if inner is None:
            return
        start, end = inner.span(1)
    pair = pair_of_stretch(text, key[:_LONGEST], start, end, owner)
    if pair is not None:
        yield pair


def pair_of_stretch(text: str, key: str, start: int, end: int, owner: int) -> KeyValuePair | None:
    """Return the pair of a stretch of text without the white space and CDATA around it."""
    raw = text[start:end]
    bare = raw.strip()
    start += len(raw) - len(raw.lstrip())
    if not bare or not key:
        return None
    if bare.startswith(_CDATA) and bare.endswith("]]>"):
        return KeyValuePair(key, start + 9, start + len(bare) - 3, bare[9:-3], owner, "bare")
    return KeyValuePair(key, start, start + len(bare), read_value(bare, "xml"), owner, "xml")
