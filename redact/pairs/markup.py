"""XML and HTML: the text of elements and their attributes, lists of terms, rows of tables."""

import re
from collections.abc import Iterator

import msgspec

from redact.pairs.escapes import read
from redact.pairs.pair import Pair

_MAX_OPEN = 100
_TAG = re.compile(
    r"<(?:!\[CDATA\[|!--|\?|(/)?([A-Za-z_][\w.:-]{0,80}+)"
    r"((?:\s++[\w@:.-]{1,80}+(?:\s{0,5}+=\s{0,5}+(?:\"[^\"<]{0,4000}+\"|'[^'<]{0,4000}+'|[^\s\"'<>=]{1,500}+))?+){0,100}+)"
    r"\s{0,200}+(/)?>)"
)
_ATTRIBUTE = re.compile(
    r"([\w@:.-]{1,80}+)\s{0,5}+=\s{0,5}+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>=]++))"
)
_NAMING = (
    "name",
    "key",
    "itemprop",
    "property",
    "data-label",
    "data-field",
    "data-key",
    "field",
    "id",
    "class",
    "label",
    "title",
)
_VALUES = ("value", "content")
_GENERIC = frozenset(
    "a abbr article b blockquote body button caption cite code col dd del details div dl dt em "
    "entry figure font form h1 h2 h3 h4 h5 h6 head html i img input item ins kbd label legend li "
    "link main mark meta nav object ol option output p param pre property field attribute attr "
    "row cell column data string value span strong sub summary sup svg table tbody td template "
    "text textarea tfoot th thead time title tr u ul var string-value integer real date".split()
)
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_TERMS = frozenset({"dt", "th", "label", "b", "strong", "key", "td", "span", "div", "p", "em", "i"})
_ANSWERS = frozenset(
    {
        "dd",
        "td",
        "span",
        "div",
        "p",
        "string",
        "integer",
        "real",
        "date",
        "value",
        "output",
        "em",
        "i",
    }
)
_HARD_TERMS = frozenset({"dt", "th", "label", "key"})
_SPACES = re.compile(r"\s+")


class _Open(msgspec.Struct):
    name: str
    label: str
    start: int
    owner: int
    attributes: dict[str, tuple[int, int]]
    parents: bool = False  # has elements of its own
    cells: int = 0


class _Place(msgspec.Struct):
    """Where in a table the reader is: the headings, and the column it has come to."""

    heads: list[str]
    column: int = 0
    row_heads: int = 0


def markup(text: str, first: int) -> tuple[list[Pair], int]:
    """Return the values of elements and attributes, and the next free owner.

    An attribute belongs to its element, the text of an element to the element around it.
    """
    reader = _Reader(text, first)
    return list(reader.pairs()), reader.owner + 1


class _Reader:
    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._stack: list[_Open] = []
        self._term = ""
        self._tables: list[_Place] = []
        self._root = first
        self.owner = first

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs in the order in which their elements end."""
        text, place = self._text, 0
        while True:
            tag = _TAG.search(text, place)
            if tag is None:
                break
            place = tag.end()
            if tag[2] is None:
                end = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}[tag[0]]
                after = text.find(end, place)
                if after < 0:
                    break
                place = after + len(end) if tag[0] != "<!--" else place
                continue
            if tag[1]:
                yield from self._close(tag[2], tag.start())
            else:
                yield from self._open(tag)
        yield from self._cut(place)

    def _cut(self, place: int) -> Iterator[Pair]:
        """Yield the text of an element whose end is missing because the text is cut off."""
        top = self._stack[-1] if self._stack else None
        if top is None or top.start != place or top.name in _GENERIC or "<" in self._text[place:]:
            return
        yield from self._value(top.label or top.name, place, len(self._text), self._parent(1))

    def _parent(self, depth: int) -> int:
        return self._stack[-1 - depth].owner if len(self._stack) > depth else self._root

    def _open(self, tag: re.Match[str]) -> Iterator[Pair]:
        name = tag[2].rpartition(":")[2]
        low = name.lower()
        if self._stack:
            self._stack[-1].parents = True
        self.owner += 1
        owner = self.owner
        attributes = self._attributes(tag)
        label = (
            next((self._read(attributes[n]) for n in _NAMING if n in attributes), "")
            if low in _GENERIC
            else ""
        )
        empty = bool(tag[4]) or low in _VOID
        for key, (start, end) in attributes.items():
            if key in _VALUES and label:
                yield from self._value(label, start, end, self._parent(0))
            elif key not in ("class", "style", "id", "href", "src") or low not in _GENERIC:
                yield from self._value(key.rpartition(":")[2], start, end, owner)
        if low == "table" and len(self._tables) < _MAX_OPEN:
            self._tables.append(_Place([]))
        elif low == "tr" and self._tables:
            self._tables[-1].column = self._tables[-1].row_heads = 0
        if not empty and len(self._stack) < _MAX_OPEN:
            self._stack.append(
                _Open(
                    low,
                    label if label else name if low not in _GENERIC else "",
                    tag.end(),
                    owner,
                    attributes,
                )
            )

    def _attributes(self, tag: re.Match[str]) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        if not tag[3]:
            return found
        for match in _ATTRIBUTE.finditer(self._text, tag.start(3), tag.end(3)):
            found.setdefault(match[1], match.span(match.lastindex or 2))
        return found

    def _read(self, span: tuple[int, int]) -> str:
        return read(self._text[span[0] : span[1]], "xml").strip()

    def _close(self, name: str, end: int) -> Iterator[Pair]:
        low = name.rpartition(":")[2].lower()
        depth = next((n for n, e in enumerate(reversed(self._stack)) if e.name == low), None)
        if depth is None:
            return
        for _ in range(depth):
            self._stack.pop()
        element = self._stack[-1]
        owner = self._parent(1)
        if not element.parents or (low in ("td", "th") and end - element.start < 500):
            if element.label and not (low in _GENERIC and element.parents):
                yield from self._value(element.label, element.start, end, owner)
            if not element.parents or low in ("td", "th"):
                yield from self._generic(low, element.start, end, owner)
        if low == "table" and self._tables:
            self._tables.pop()
        self._stack.pop()

    def _generic(self, name: str, start: int, end: int, owner: int) -> Iterator[Pair]:
        """Yield the text of an element that only its neighbours name: a cell, an answer."""
        words = _SPACES.sub(" ", self._read((start, end)))
        if name in ("td", "th") and self._tables:
            yield from self._cell(name, words, start, end, owner)
        elif name in _ANSWERS and self._term:
            yield from self._value(self._term, start, end, owner)
            if name != "dd":
                self._term = ""
            return
        if name in _HARD_TERMS or (name in _TERMS and words[-1:] in (":", "\uff1a")):
            self._term = words.rstrip(":\uff1a ") if len(words) <= 60 else ""
        elif name in ("td", "dd", "p"):
            self._term = "" if name != "dd" else self._term

    def _cell(self, name: str, words: str, start: int, end: int, owner: int) -> Iterator[Pair]:
        place = self._tables[-1]
        if name == "th":
            if place.column == 0 and place.row_heads == 0 and not place.heads:
                place.heads = []
            if place.column == place.row_heads:
                if place.row_heads == 0:
                    self._row_heads = []
                self._row_heads.append(words)
                place.row_heads += 1
                place.column += 1
                if place.row_heads >= len(place.heads):
                    place.heads = list(self._row_heads)
            else:
                self._row_heads = [words]
                place.column += 1
            return
        number = place.column
        place.column += 1
        if place.row_heads and number == place.row_heads and self._term:
            yield from self._value(
                self._term, start, end, owner if place.row_heads > 1 else self._tables_owner()
            )
        elif number < len(place.heads) and len(place.heads) > 1:
            yield from self._value(place.heads[number], start, end, owner)
        elif number == 0 and not place.heads:
            self._first = words
        elif number == 1 and not place.heads and getattr(self, "_first", ""):
            yield from self._value(self._first, start, end, self._tables_owner())

    def _tables_owner(self) -> int:
        return next((e.owner for e in reversed(self._stack) if e.name == "table"), self._root)

    def _value(self, key: str, start: int, end: int, owner: int) -> Iterator[Pair]:
        text = self._text
        raw = text[start:end]
        if "<" in raw and not raw.lstrip().startswith("<![CDATA["):
            inner = re.fullmatch(
                r"\s*(?:<[^<>]{1,200}>\s*){1,5}([^<>]+?)\s*(?:</[^<>]{1,50}>\s*|<br\s*/?>\s*){1,5}",
                raw,
            )
            if inner is None:
                return
            start, end = start + inner.start(1), start + inner.end(1)
            raw = text[start:end]
        bare = raw.strip()
        start += len(raw) - len(raw.lstrip())
        if bare.startswith("<![CDATA[") and bare.endswith("]]>"):
            yield Pair(key, start + 9, start + len(bare) - 3, bare[9:-3], owner, "xml")
        elif bare and key:
            yield Pair(key, start, start + len(bare), read(bare, "xml"), owner, "xml")
