"""All keys with their values in a text: each format's reader in turn, then what is in the values."""

import re

from collections.abc import Iterable, Sequence

from redact.pairs.assignments import assignments
from redact.pairs.escapes import places, quoted
from redact.pairs.literals import quoted_keys
from redact.pairs.markup import markup
from redact.pairs.owners import owned
from redact.pairs.pair import MAX_DEPTH, MAX_PAIRS, Item, Pair
from redact.pairs.tables import tables

_ANY = re.compile(r"[:=|<;,\t\uff1a\u2502]")
_QUOTED_COLON = re.compile(r"""["']\s{0,40}+(?::|=>)""")
_MIN_INNER = 6
_INNER = re.compile(r"[:=|<\t\uff1a]|,[^\n]*\n|;[^\n]*\n")


def pairs(text: str) -> list[Pair]:
    """Return the keys with values of a text that is not one JSON document, by place.

    Two pairs are disjoint, or one stands within the other (a string that holds keys itself), or
    they have the same place and different keys. At most ``MAX_PAIRS`` pairs, at most ``MAX_DEPTH``
    texts within texts. Takes time in proportion to the text. Never raises.
    """
    found, _ = _pairs(text, 1, MAX_DEPTH, MAX_PAIRS)
    return found


def _pairs(text: str, first: int, depth: int, most: int) -> tuple[list[Pair], int]:
    if _ANY.search(text) is None:
        return [], first
    found: list[Pair] = []
    if "<" in text:
        found, first = markup(text, first)
    if "\n" in text:
        rows, first = tables(text, first)
        found += rows
    items: list[Item] = []
    if _QUOTED_COLON.search(text) is not None:
        for item in quoted_keys(text):
            items.append(item)
            if len(items) >= most:
                break
    if ":" in text or "=" in text or "\uff1a" in text:
        taken = [(item.start, item.end) for item in items]
        for item in assignments(text, taken):
            items.append(item)
            if len(items) >= 2 * most:
                break
        items.sort(key=lambda item: item.at)
    more, first = owned(text, items, first)
    kept = _resolved(found + more, most)
    if depth > 1:
        kept, first = _with_inner(text, kept, first, depth, most)
    return kept, first


def _resolved(found: Iterable[Pair], most: int) -> list[Pair]:
    """Return the pairs in order, without those that overlap another one in part or repeat it."""
    kept: list[Pair] = []
    ends: list[int] = []
    for pair in sorted(found, key=lambda pair: (pair.start, -pair.end)):
        while ends and ends[-1] <= pair.start:
            ends.pop()
        if ends and pair.end > ends[-1]:
            continue
        if kept and (kept[-1].start, kept[-1].end) == (pair.start, pair.end):
            before = len(kept) - 1
            while before >= 0 and kept[before].start == pair.start:
                if kept[before].key == pair.key:
                    break
                before -= 1
            else:
                before = -1
            if before >= 0 and kept[before].start == pair.start:
                continue
        else:
            ends.append(pair.end)
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
        if pair.end <= covered or pair.form in _NO_TEXT or pair.end - pair.start < _MIN_INNER:
            continue
        if _INNER.search(pair.value) is None:
            continue
        covered = pair.end
        raw = text[pair.start : pair.end]
        times = _times(text, pair)
        inner, first = _pairs(pair.value, first, depth - 1, most - len(found))
        if not inner:
            continue
        value, origin = places(raw, pair.form, times)
        if value != pair.value:
            continue
        found += [_outer(one, pair, origin, times) for one in inner]
    return (_resolved(found, most) if len(found) > len(kept) else found), first


_NO_TEXT = ("json_number", "python_number", "python_call", "bare")


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
