"""Reads XML and HTML: the text of elements and attributes, with their names as keys."""

import re
from collections.abc import Iterator

from redact.pairs.escapes import read_value
from redact.pairs.items import OpenElement
from redact.pairs.pair import KeyValuePair
from redact.pairs.terms import HtmlTerms, pair_of_stretch

_MAX_OPEN = 100
_TAG = re.compile(
    r"<(?:!\[CDATA\[|!--|\?|(/)?([^\W\d][\w.:-]{0,80}+)"
    r"((?:\s++[\w@:.-]{1,80}+(?:\s{0,5}+=\s{0,5}+"
    r"(?:\"[^\"<]{0,4000}+\"|'[^'<]{0,4000}+'|[^\s\"'<>=]{1,500}+))?+){0,100}+)"
    r"\s{0,200}+(/)?>)"
)
_ATTRIBUTE = re.compile(
    r"([\w@:.-]{1,80}+)\s{0,5}+=\s{0,5}+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>=]++))"
)
_NAMING = (
    *("name", "key", "itemprop", "property", "data-label", "data-field", "data-key", "field"),
    *("id", "class", "label", "title"),
)
_VALUES = ("value", "content")
_OF_PAGES = frozenset({"class", "style", "id", "href", "src", "type", "rel", "colspan", "rowspan"})
_GENERIC = frozenset(
    [
        *("a", "abbr", "article", "b", "big", "blockquote", "body", "br", "button", "caption"),
        *("cite", "code", "col", "dd", "del", "details", "div", "dl", "dt", "em", "entry"),
        *("figure", "font", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr"),
        *("html", "i", "img", "input", "ins", "kbd", "key", "label", "legend", "li", "link"),
        *("main", "mark", "meta", "nav", "object", "ol", "option", "output", "p", "param", "pre"),
        *("property", "field", "attribute", "attr", "row", "cell", "column", "data", "string"),
        *("script", "section", "select", "small", "style", "value", "span", "strong", "sub"),
        *("summary", "sup", "svg", "table", "tbody", "td", "template", "text", "textarea"),
        *("tfoot", "th", "thead", "tr", "u", "ul", "var", "integer", "real"),
    ]
)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"]
)
_COMMENT = {"<![CDATA[": "]]>", "<?": "?>"}


def read_markup(text: str, first: int) -> tuple[list[KeyValuePair], list[tuple[int, int]], int]:
    """Return the values of elements and attributes, the spans of all tags, and the next owner.

    An attribute belongs to its element, the text of an element to the element around it.
    """
    reader = _Reader(text, first)
    return list(reader.pairs()), reader.tags, reader.owner + 1


class _Reader:
    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._stack: list[OpenElement] = []
        self._names: dict[str, int] = {}
        self._terms = HtmlTerms(text)
        self._root = self.owner = first
        self.tags: list[tuple[int, int]] = []

    def pairs(self) -> Iterator[KeyValuePair]:
        """Yield the pairs in the order of the ends of their elements."""
        text, position = self._text, 0
        while True:
            tag = _TAG.search(text, position)
            if tag is None:
                break
            position = tag.end()
            if tag[2] is None:
                if tag[0] in _COMMENT:
                    after = text.find(_COMMENT[tag[0]], position)
                    position = after if after >= 0 else len(text)
                continue
            self.tags.append(tag.span())
            if tag[1]:
                yield from self._close(tag[2], tag.start(), position)
            else:
                yield from self._open(tag)
        yield from self._cut(position)
        yield from self._terms.end()

    def _cut(self, position: int) -> Iterator[KeyValuePair]:
        """Yield the text of an element whose end tag is missing because the text is truncated."""
        top = self._stack[-1] if self._stack else None
        if top is None or top.start != position or not top.key:
            return
        end = self._text.find("<", position)
        end = len(self._text) if end < 0 else end
        if end - position < 500 and "\n" not in self._text[position:end].strip():
            yield from self._value(top.key, position, end, self._parent(1))

    def _parent(self, depth: int) -> int:
        return self._stack[-1 - depth].owner if len(self._stack) > depth else self._root

    def _open(self, tag: re.Match[str]) -> Iterator[KeyValuePair]:
        name = tag[2].rpartition(":")[2]
        low = name.lower()
        if self._stack:
            self._stack[-1].has_elements = True
        self.owner += 1
        is_generic = low in _GENERIC
        key = "" if is_generic else name
        if tag[3]:
            attributes = self._attributes(tag)
            if is_generic:
                key = next((self._read(attributes[n]) for n in _NAMING if n in attributes), "")
            for attribute, (start, end) in attributes.items():
                if attribute in _VALUES and key and is_generic:
                    yield from self._value(key, start, end, self._parent(0))
                elif not is_generic or attribute not in _OF_PAGES:
                    yield from self._value(attribute.rpartition(":")[2], start, end, self.owner)
        yield from self._terms.open(low, self.owner)
        if not tag[4] and low not in _VOID and len(self._stack) < _MAX_OPEN:
            self._stack.append(OpenElement(low, key, tag.end(), self.owner))
            self._names[low] = self._names.get(low, 0) + 1

    def _attributes(self, tag: re.Match[str]) -> dict[str, tuple[int, int]]:
        values: dict[str, tuple[int, int]] = {}
        for match in _ATTRIBUTE.finditer(self._text, tag.start(3), tag.end(3)):
            values.setdefault(match[1], match.span(match.lastindex or 2))
        return values

    def _read(self, span: tuple[int, int]) -> str:
        return read_value(self._text[span[0] : span[1]], "xml").strip()

    def _close(self, name: str, end: int, after: int) -> Iterator[KeyValuePair]:
        low = name.rpartition(":")[2].lower()
        if not self._names.get(low):
            return
        element = self._pop()
        while element.name != low:
            element = self._pop()
        owner = self._parent(0)
        if element.key and not element.has_elements:
            yield from self._value(element.key, element.start, end, owner)
        yield from self._terms.close(low, (element.start, end), after, owner)

    def _pop(self) -> OpenElement:
        element = self._stack.pop()
        self._names[element.name] -= 1
        return element

    def _value(self, key: str, start: int, end: int, owner: int) -> Iterator[KeyValuePair]:
        pair = pair_of_stretch(self._text, key, start, end, owner)
        if pair is not None:
            yield pair
