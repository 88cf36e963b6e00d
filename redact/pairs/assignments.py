"""Keys without quotation marks: ``key: value`` and ``key=value`` in lines, logs, forms and YAML.

Each ``:`` and ``=`` is a candidate. Its key is read backwards, up to something that no key holds;
its value reaches to the next key or to what ends a value of its kind.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from redact.pairs.escapes import read
from redact.pairs.literals import item_of
from redact.pairs.pair import MAX_VALUE, Form, Item
from redact.pairs.values import Literal, call_at, list_at, string_at

_SEPARATOR = re.compile(
    r"(?<=[\w)\]*`%#. \t\u3000])(?:(?<!\d):(?![:/\\=])|:(?![:/\\=\d])|(?<![:=!<>])\uff1a|=(?![=~>]))"
)
_WINDOW = 120
_TOKEN = re.compile(r"[ \t]{0,20}+([\w.$%@\]\[-]{1,60}+)")
_WORD = r"[\w$/#&'\u2019\u00b0%-][\w.$/#&'\u2019\u00b0%-]*+"
_PHRASE = re.compile(
    rf"[ \t\u3000]{{0,20}}+[*_`~]{{0,3}}+[ ]?(\.?(?:\)[^()\n]{{1,30}}+\([ ]?)?{_WORD}(?:[ ]{_WORD}){{0,6}}+)"
)
_LEAD = "-+#/.&%'\u2019* "
_MOST_WORDS = 5
_SPACE = re.compile(r"[ \t\u3000]*+[*_`~]{0,3}+[ \t\u3000]*+")
_STOP = re.compile(r"[&;,|\t\"'`)\]}<>\uff0c\uff1b\u3001]")
_AFTER_STRING = re.compile(r"[\s,;|)}\]&<>]|\Z|\\[nrt\"']|['\"]")
_TRIM_END = " \t\r,;|*_`~\u3000\uff0c\uff1b\u3001\u00b7\u2022\\"
_CLOSERS = {")": "(", "]": "[", "}": "{", ">": "<"}
_CLOSER = re.compile(r"[()\[\]{}<>]")
_TAG = re.compile(r"\s*</?[A-Za-z!]")
_COMMENT = re.compile(r"\s+(?:#|//)\s")
_ASIDE = re.compile(r"\s+\([^()]{0,60}\)\Z")
_PROSE_END = re.compile(r"[;|]|\.(?=\s)|\s\(|,\s(?=[^\W\d_]*[a-z])")
_YAML_TAG = re.compile(r"(?:!{1,2}[\w:/.-]{0,40}|&[\w-]{1,40})[ \t]+")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*(?:#.*)?$", re.MULTILINE)
_LIST_LINE = re.compile(
    r"[ \t]{0,80}(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+(\S.*?)[ \t\r,]*$", re.MULTILINE
)
_LINE = re.compile(r"[ \t]{0,80}(\S.{0,120}?)[ \t\r,]*$", re.MULTILINE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s\"'<>|]*")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BULLETS = " \t-*+\u2022>#\"'`_~0123456789.)({[,"


class Mark(msgspec.Struct, gc=False):
    """A separator with its key, before its value is known. ``first`` in its line, or not."""

    key: str
    at: int
    sign: str
    place: int
    first: bool


def assignments(text: str, taken: Sequence[tuple[int, int]]) -> Iterator[Item]:
    """Yield the values of keys without quotation marks, and headings, in order.

    ``taken`` are places, in order, where other readers found values: nothing is read there.
    """
    yield from _Reader(text, taken).items()


class _Reader:
    def __init__(self, text: str, taken: Sequence[tuple[int, int]]) -> None:
        self._text = text
        self._taken = taken
        self._next = 0  # of taken
        self._line_start = 0
        self._line_end = -1

    def items(self) -> Iterator[Item]:
        """Yield the items in order."""
        before: Mark | None = None
        skip = floor = 0
        for found in _SEPARATOR.finditer(self._text):
            place = found.start()
            if place < skip or self._is_taken(place):
                continue
            mark = self._mark(place, found[0], floor)
            if mark is None:
                continue
            floor = place + 1
            if before is not None:
                yield from self._values(before, mark)[0]
            before = None
            items, skip = self._literals(mark)
            if items:
                yield from items
                floor = skip
            else:
                before, skip = mark, 0
        if before is not None:
            yield from self._values(before, None)[0]

    def _is_taken(self, place: int) -> bool:
        taken, number = self._taken, self._next
        while number < len(taken) and taken[number][1] <= place:
            number += 1
        self._next = number
        return number < len(taken) and taken[number][0] <= place

    def _seek(self, place: int) -> None:
        """Find start and end of the line of a place; places only grow."""
        if place > self._line_end:
            begin = max(self._line_end, 0)
            self._line_start = self._text.rfind("\n", begin, place) + 1
            end = self._text.find("\n", place)
            self._line_end = len(self._text) if end < 0 else end

    def _mark(self, place: int, sign: str, floor: int) -> Mark | None:
        """Return the key that ends at a place."""
        text = self._text
        self._seek(place)
        begin = max(self._line_start, floor, place - _WINDOW)
        left = text[begin:place]
        back = left[::-1]
        spaced = back[:1] in " \t"
        found = None
        if sign == "=":
            found = _TOKEN.match(back)
            if found is None:
                return None
            if spaced:
                phrase = _PHRASE.match(back)
                if phrase and not left[: len(left) - phrase.end()].strip(_BULLETS):
                    found = phrase
        else:
            found = _PHRASE.match(back)
        if found is None:
            return None
        at = place - found.end(1)
        key = found[1][::-1]
        if sign != "=" and " " in key:
            key, at = self._shortened(key, at, floor)
        bare = key.lstrip(_LEAD)
        at += len(key) - len(bare)
        bare = bare.rstrip("*_`~ ")
        if sign == "=" and bare[:1] == "[":
            bare, at = bare[1:], at + 1
        if not bare or not any(map(str.isalpha, bare)):
            return None
        first = begin == self._line_start and not text[begin:at].strip(_BULLETS)
        return Mark(bare, at, sign, place, first)

    def _shortened(self, key: str, at: int, floor: int) -> tuple[str, int]:
        """Return a key without the prose, or the value of the key before, that stands before it."""
        text = self._text
        words = key.split(" ")
        if floor and not text[floor:at].strip(" \t*_`"):
            keep = 1
            if words[-1][:1].islower():
                count = next((i for i, w in enumerate(reversed(words)) if w[:1].isupper()), 0)
                keep = count + 1 if count < len(words) - 1 else 1
        elif len(words) > _MOST_WORDS:
            keep = 2
        else:
            return key, at
        kept = " ".join(words[-keep:])
        return kept, at + len(key) - len(kept)

    def _literals(self, mark: Mark) -> tuple[list[Item], int]:
        """Return the strings after a mark, or the constructor, and where the text goes on."""
        text = self._text
        gap = _SPACE.match(text, mark.place + 1)
        place = gap.end() if gap else mark.place + 1
        head = text[place : place + 3]
        if head[:1] == "!" or head[:1] == "&" and mark.sign != "=":
            tag = _YAML_TAG.match(text, place)
            place = tag.end() if tag else place
            head = text[place : place + 3]
        quote = "'" if mark.sign == "=" else '"'
        if '"' in head or "'" in head or "\\" in head:
            literal = string_at(text, place)
            if literal is not None and literal.closed and _AFTER_STRING.match(text, literal.after):
                return [item_of(mark.key, mark.at, literal)], literal.after
            if literal is not None and not literal.closed and literal.mark == '"':
                return [item_of(mark.key, mark.at, literal)], literal.after
        if head[:1] == "[":
            found = list_at(text, place, quote) or _bare_list(text, place)
            items = [item_of(mark.key, mark.at, one, more=n > 0) for n, one in enumerate(found)]
            return items, found[-1].after if found else 0
        if head[:1].isalpha() or head[:1] == "<":
            call = call_at(text, place, quote)
            if call is not None:
                return [item_of(mark.key, mark.at, call)], call.after
        return [], 0

    def _values(self, mark: Mark, after: Mark | None) -> tuple[list[Item], int]:
        """Return the value without quotation marks between a mark and the next one."""
        text = self._text
        gap = _SPACE.match(text, mark.place + 1)
        start = gap.end() if gap else mark.place + 1
        line_end = text.find("\n", mark.place, mark.place + MAX_VALUE)
        if line_end < 0:
            line_end = min(len(text), mark.place + MAX_VALUE)
        limit = line_end
        is_last = after is None or after.at >= line_end
        if after is not None and not is_last:
            limit = after.at
        if start >= line_end or _BLOCK.match(text, start):
            return self._below(mark, start, line_end, after), 0
        if text[start] in "{[(":
            return [_heading(mark)], 0
        start, end, form = (_equals if mark.sign == "=" else _colon)(
            text, mark, start, limit, is_last
        )
        if end <= start or end - start >= MAX_VALUE:
            return [_heading(mark)], 0
        value = read(text[start:end], form)
        return [Item(mark.key, mark.at, start, end, value, form)], 0

    def _below(self, mark: Mark, start: int, line_end: int, after: Mark | None) -> list[Item]:
        """Return a heading, and what stands below it: a block, a list, or a single line."""
        text = self._text
        stop = min(after.at if after else len(text), line_end + MAX_VALUE)
        items = [_heading(mark)]
        if start < line_end:
            return items + _block(text, mark, line_end + 1, stop)
        place = line_end + 1
        for number in range(100):
            pattern = _LIST_LINE.match(text, place) or (
                None if number else _LINE.match(text, place)
            )
            if pattern is None or pattern.end() >= stop:
                if pattern is None or after is not None or pattern.end() > len(text):
                    break
            begin, end = pattern.span(1)
            if text[begin] in "{[<|#" or text[begin:end].strip("-=_*") == "":
                break
            begin, end = _unquoted(text, begin, end)
            items.append(
                Item(mark.key, mark.at, begin, end, text[begin:end], "bare", "", number > 0)
            )
            place = pattern.end() + 1
            if pattern.re is _LINE:
                break
        return items


def _heading(mark: Mark) -> Item:
    return Item(mark.key, mark.at, -1, -1, "", "bare")


def _bare_list(text: str, place: int) -> list[Literal]:
    """Return the words of a list as YAML writes it, ``[a, b]``."""
    end = text.find("]", place, place + 500)
    found: list[Literal] = []
    if end < 0 or "\n" in text[place:end]:
        return found
    at = place + 1
    for part in text[at:end].split(","):
        value = part.strip()
        if value:
            start = at + len(part) - len(part.lstrip())
            found.append(Literal(start, start + len(value), value, "bare", start + len(value)))
        at += len(part) + 1
    return found


def _block(text: str, mark: Mark, place: int, stop: int) -> list[Item]:
    """Return a block of YAML: the lines that stand deeper than their key."""
    line = (
        text.rfind("\n", 0, mark.at) + 1
        if mark.at - 200 < 0
        else text.rfind("\n", mark.at - 200, mark.at) + 1
    )
    indent = len(text[line : line + 200]) - len(text[line : line + 200].lstrip(" "))
    first = last = -1
    while place < min(stop, len(text)):
        end = text.find("\n", place, stop)
        end = min(stop, len(text)) if end < 0 else end
        words = text[place:end].lstrip(" ")
        if words.strip() and end - place - len(words) <= indent:
            break
        if words.strip():
            first = end - len(words) if first < 0 else first
            last = place + len(text[place:end].rstrip())
        place = end + 1
    if first < 0:
        return []
    return [Item(mark.key, mark.at, first, last, text[first:last], "bare")]


def _unquoted(text: str, start: int, end: int) -> tuple[int, int]:
    if end - start > 2 and text[start] in "\"'`" and text[end - 1] == text[start]:
        return start + 1, end - 1
    return start, end


def _equals(text: str, mark: Mark, start: int, limit: int, is_last: bool) -> tuple[int, int, Form]:
    """Return the value after ``=``: a word, or words up to the next key or the end of the line."""
    spaced = text[mark.place - 1] in " \t" or (text[mark.place + 1 : mark.place + 2] in (" ", "\t"))
    form: Form = "bare"
    url = _URL.match(text, start, limit if is_last else len(text))
    if url is not None:
        return start, url.end(), form
    if spaced and not (mark.first and is_last):
        form = "bare"
    whole = mark.first and is_last and (spaced or mark.key.isupper())
    if whole:
        comment = _COMMENT.search(text, start, limit)
        end = comment.start() if comment else limit
        return (*_trimmed(text, start, end), form)
    stop = _STOP.search(text, start, limit)
    end = stop.start() if stop else limit
    words = text[start:end]
    if not stop and is_last and not mark.first or len(words.split()) > 8:
        end = start + len(words.split(None, 1)[0]) if words.strip() else start
    if text[mark.at - 1 : mark.at] in ("&", "?") or text[end : end + 1] == "&":
        form = "percent"
    elif _PERCENT.search(text, start, end):
        form = "percent" if "+" not in text[start:end] else form
    return (*_trimmed(text, start, end), form)


def _colon(text: str, mark: Mark, start: int, limit: int, is_last: bool) -> tuple[int, int, Form]:
    """Return the value after a colon: up to the next key or the end of the line."""
    end = limit
    comment = _COMMENT.search(text, start, end)
    if comment is not None:
        end = comment.start()
    before = text[mark.at - 1 : mark.at] if mark.at else ""
    if before in ('"', "'", "`"):
        closing = text.find(before, start, end)
        end = closing if closing >= 0 else end
    elif not mark.first and is_last:
        stop = _PROSE_END.search(text, start, end)
        end = stop.start() if stop else end
    return (*_trimmed(text, start, end), "bare")


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the place of a value without the separators, brackets and tags around it."""
    tag = _TAG.search(text, start, end)
    if tag is not None:
        end = tag.start()
    depth: list[str] = []
    for found in _CLOSER.finditer(text, start, end):
        bracket = found[0]
        if bracket not in _CLOSERS:
            depth.append(bracket)
        elif depth and depth[-1] == _CLOSERS[bracket]:
            depth.pop()
        else:
            end = found.start()
            break
    while True:
        size = end - start
        value = text[start:end].rstrip(_TRIM_END)
        aside = _ASIDE.search(value, max(len(value) - 80, 0)) if value[-1:] == ")" else None
        if aside is not None and aside.start():
            value = value[: aside.start()]
        if value[-2:-1] not in ("", ".", " ") and value[-1:] == ".":
            value = value[:-1]
        if value[-3:] in (" -", " \u2013", " \u2014", " /", " &"):
            value = value[:-2]
        end = start + len(value)
        if value[:1] in "<\"'`(" and len(value) > 2 and value[-1] in ">\"'`)":
            start, end = start + 1, end - 1
        if end - start == size or end <= start:
            break
    return start, end
