"""All keys with their values in a text: each reader in turn, then what is in the values."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from redact.pairs.apart import apart, may_stand_apart
from redact.pairs.assignments import assignments
from redact.pairs.columns import columns, has_columns, options
from redact.pairs.escapes import places, quoted
from redact.pairs.literals import quoted_keys
from redact.pairs.markup import markup
from redact.pairs.owners import owned
from redact.pairs.pair import MAX_DEPTH, MAX_PAIRS, Item, Pair
from redact.pairs.passed import passed
from redact.pairs.printed import printed
from redact.pairs.rows import aligned, inserted
from redact.pairs.tables import tables

_WORDED = r"\([\"']|(?:define|ENV|[Ee]nv|_header|_param|LIKE|like|entry|\[1\])[ ]"
_ALWAYS = r"[=<\t\uff1a]|[ ]{2}|[ ][-\u2013\u2014\u2192]|--|\.{3}|:(?![0-9])|(?<![0-9]):|" + _WORDED
_ANY_IN_A_LINE = re.compile(_ALWAYS)
_ANY_IN_LINES = re.compile(rf"[|;,\u2502]|{_ALWAYS}")
"""What a key and its value cannot do without. A time of day has none."""
_QUOTED_COLON = re.compile(r"""["'](?:\s{0,40}+(?::|=>)|\]\s{0,5}+=)""")
_INSERT = re.compile(r"\bvalues\s*\(", re.IGNORECASE)
_INNER = re.compile(r"[:=|<\t\uff1a]|[,;][^\n]*\n")
_MIN_INNER = 6
_NO_TEXT = ("json_number", "python_number", "python_call", "bare")


def pairs(text: str) -> list[Pair]:
    """Return the keys with values of a text that is not one JSON document, by place.

    Two pairs are disjoint, or one stands within the other (a string that holds keys itself), or
    they have the same place and different keys. At most ``MAX_PAIRS`` pairs, at most ``MAX_DEPTH``
    texts within texts. Takes time in proportion to the text. Never raises.
    """
    found, _ = _pairs(text, 1, MAX_DEPTH, MAX_PAIRS)
    return found


def _pairs(text: str, first: int, depth: int, most: int) -> tuple[list[Pair], int]:
    if not _may_hold(text):
        return [], first
    found: list[Pair] = []
    tags: list[tuple[int, int]] = []
    if "<" in text:
        found, tags, first = markup(text, first)
    heads: list[tuple[int, int]] = []
    if "\n" in text:
        rows, heads, first = tables(text, first)
        found += rows
    for reader in _of_rows(text):
        rows, first = reader(text, first)
        found += rows
    items = list(islice(_items(text, tags, heads), 2 * most))
    if not items and not found:
        return [], first
    items.sort(key=lambda item: item.at)
    more, first = owned(text, items, first)
    kept = _resolved(found, most)
    kept = _resolved([*kept, *_fitting(more, kept)], most) if kept else _resolved(more, most)
    if depth > 1:
        kept, first = _with_inner(text, kept, first, depth, most)
    return kept, first


def _may_hold(text: str) -> bool:
    """Return whether any reader could find a pair: some signs count in several lines only."""
    if "\n" in text:
        return _ANY_IN_LINES.search(text) is not None
    return _ANY_IN_A_LINE.search(text) is not None or _may_insert(text)


def _may_insert(text: str) -> bool:
    if "(" not in text or (text.isascii() and "values" not in text.lower()):
        return False
    return _INSERT.search(text) is not None


def _of_rows(text: str) -> Iterator[Callable[[str, int], tuple[list[Pair], int]]]:
    """Yield the readers of rows of values that could find one in a text."""
    if "\n" in text and "  " in text:
        yield aligned
    if may_stand_apart(text):
        yield apart
    if _may_insert(text):
        yield inserted


def _items(
    text: str, tags: Sequence[tuple[int, int]], heads: Sequence[tuple[int, int]]
) -> Iterator[Item]:
    """Yield what stands under keys that are no headings of a row; ``heads`` are those of tables."""
    taken: list[tuple[int, int]] = list(tags)
    if ("'" in text or '"' in text) and _QUOTED_COLON.search(text) is not None:
        for item in quoted_keys(text):
            taken.append((item.start, item.end))
            yield item
        if tags:
            taken.sort()
    if ":" in text or "=" in text or "\uff1a" in text:
        yield from assignments(text, taken)
    if has_columns(text):
        found = columns(text)
        yield from (
            [one for one in found if not any(a <= one.at < b for a, b in heads)] if heads else found
        )
    if " -" in text:
        yield from options(text)
    yield from passed(text)
    yield from printed(text)


def _fitting(pairs: Sequence[Pair], kept: Sequence[Pair]) -> Iterator[Pair]:
    """Yield the pairs that overlap none of the kept ones, which stand in order, in part."""
    starts = [pair.start for pair in kept]
    for pair in pairs:
        inside = bisect_left(starts, pair.end)
        before = bisect_left(starts, pair.start)
        if inside and starts[inside - 1] > pair.start and kept[inside - 1].end > pair.end:
            continue
        if before and pair.start < kept[before - 1].end < pair.end:
            continue
        yield pair


def _resolved(found: Iterable[Pair], most: int) -> list[Pair]:
    """Return the pairs in order, without those that overlap another one in part or repeat it."""
    kept: list[Pair] = []
    ends: list[int] = []
    here, keys = (-1, -1), set[str]()
    for pair in sorted(found, key=lambda pair: (pair.start, -pair.end)):
        place = (pair.start, pair.end)
        if place == here:
            if pair.key in keys:
                continue
        else:
            while ends and ends[-1] <= pair.start:
                ends.pop()
            if ends and pair.end > ends[-1]:
                continue
            ends.append(pair.end)
            here, keys = place, set()
        keys.add(pair.key)
        kept.append(pair)
        if len(kept) >= most:
            break
    return kept


def _with_inner(
    text: str, kept: Sequence[Pair], first: int, depth: int, most: int
) -> tuple[list[Pair], int]:
    """Return the pairs with those that stand within the strings among them."""
    found = list(kept)
    covered = -1
    for pair in kept:
        if len(found) >= most:
            break
        if pair.end - pair.start < _MIN_INNER or pair.form in _NO_TEXT or pair.end <= covered:
            continue
        if _INNER.search(pair.value) is None:
            continue
        covered = pair.end
        inner, first = _pairs(pair.value, first, depth - 1, most - len(found))
        if not inner:
            continue
        times = _times(text, pair)
        value, origin = places(text[pair.start : pair.end], pair.form, times)
        if value == pair.value:
            found += [_outer(one, pair, origin, times) for one in inner]
    return (_resolved(found, most) if len(found) > len(kept) else found), first


def _times(text: str, pair: Pair) -> int:
    """Return how often backslashes are undone in a string, by those before its quotation mark."""
    if pair.form not in ("json_string", "python_string"):
        return 1
    place = pair.start - 1
    while place > 0 and text[place - 1] == "\\" and pair.start - place < 9:
        place -= 1
    return (pair.start - place).bit_length()


def _outer(inner: Pair, outer: Pair, origin: Sequence[int], times: int) -> Pair:
    start = outer.start + origin[inner.start]
    end = outer.start + origin[inner.end]
    quote = quoted(inner.quote, outer.form, times) if inner.quote else ""
    return Pair(inner.key, start, end, inner.value, inner.owner, inner.form, quote)
