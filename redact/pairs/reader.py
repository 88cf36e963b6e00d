"""Reads all keys with values in a text: runs each reader in turn, then reads nested texts."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from redact.pairs.assignments import read_assignments
from redact.pairs.columns import has_columns, read_columns, read_options
from redact.pairs.escapes import locate_characters, quotation_mark
from redact.pairs.markup import read_markup
from redact.pairs.owners import assign_owners
from redact.pairs.pair import MAX_DEPTH, MAX_PAIRS, KeyValuePair, UnownedPair
from redact.pairs.passed_arguments import read_passed_arguments
from redact.pairs.printed_values import read_printed_values
from redact.pairs.quoted_keys import read_quoted_keys
from redact.pairs.rows import read_aligned_tables, read_inserts
from redact.pairs.split_tables import may_hold_split_table, read_split_tables
from redact.pairs.tables import read_tables

_SIGNS: Final = ("=", "<", "\t", "  ", "...", "define ", "env ", "like ", "entry ")
_SIGNS_WITH: Final = (
    ("-", (" -", "--")),
    ("(", ("('", '("')),
    ("_", ("_header ", "_param ")),
    ("V", ("ENV ",)),
    ("E", ("Env ",)),
    ("K", ("LIKE ",)),
    ("[", ("[1] ",)),
)
"""More signs, by a character of each: one character is found several times as fast as a word."""
_SIGNS_IN_LINES: Final[tuple[str, ...]] = (",", "|", ";", "\u2502")
_SIGNS_BEYOND_ASCII: Final[tuple[str, ...]] = ("\uff1a", " \u2013", " \u2014", " \u2192")
_COLON = re.compile(r":(?![0-9])|(?<![0-9]):")
"""A colon that is not part of a time of day. Every key with a value has it or one of the signs."""
_QUOTED_COLON = re.compile(r"""["'](?:\s{0,40}+(?::|=>)|\]\s{0,5}+=)""")
_INSERT = re.compile(r"\bvalues\s*\(", re.IGNORECASE)
_INNER = re.compile(r"[:=|<\t\uff1a]|[,;][^\n]*\n")
_MIN_INNER = 6
_NO_TEXT = ("json_number", "python_number", "python_call", "bare")


def read_pairs(text: str) -> list[KeyValuePair]:
    """Return the keys with values of a text that is not one JSON document, by position.

    Two pairs are disjoint, or nested (a string that contains keys itself), or have the same span
    and different keys. There are at most ``MAX_PAIRS`` pairs and ``MAX_DEPTH`` nested texts. Takes
    time proportional to the length of the text. Never raises.
    """
    pairs, _ = _read(text, 1, MAX_DEPTH, MAX_PAIRS)
    return pairs


def _read(text: str, first: int, depth: int, limit: int) -> tuple[list[KeyValuePair], int]:
    if not may_hold_pairs(text):
        return [], first
    read: list[KeyValuePair] = []
    tags: list[tuple[int, int]] = []
    if "<" in text:
        read, tags, first = read_markup(text, first)
    heads: list[tuple[int, int]] = []
    if "\n" in text:
        rows, heads, first = read_tables(text, first)
        read += rows
    for reader in _row_readers(text):
        rows, first = reader(text, first)
        read += rows
    items = list(islice(_read_items(text, tags, heads), 2 * limit))
    if not items and not read:
        return [], first
    items.sort(key=lambda item: item.at)
    more, first = assign_owners(text, items, first)
    resolved = _resolve(read, limit)
    resolved = (
        _resolve([*resolved, *_without_overlaps(more, resolved)], limit)
        if resolved
        else _resolve(more, limit)
    )
    if depth > 1:
        resolved, first = _add_nested(text, resolved, first, depth, limit)
    return resolved, first


def may_hold_pairs(text: str) -> bool:
    """Return whether any reader could find a pair: some signs count only in several lines."""
    for sign in _SIGNS:
        if sign in text:
            return True
    for character, signs in _SIGNS_WITH:
        if character in text:
            for sign in signs:
                if sign in text:
                    return True
    if ":" in text and _COLON.search(text) is not None:
        return True
    if "\n" not in text and _may_insert(text):
        return True
    others = _SIGNS_IN_LINES if "\n" in text else ()
    if not text.isascii():
        others += _SIGNS_BEYOND_ASCII
    return any(sign in text for sign in others)


def _may_insert(text: str) -> bool:
    if "(" not in text or (text.isascii() and "values" not in text.lower()):
        return False
    return _INSERT.search(text) is not None


def _row_readers(text: str) -> Iterator[Callable[[str, int], tuple[list[KeyValuePair], int]]]:
    """Yield the readers of rows of values that apply to a text."""
    if "\n" in text and "  " in text:
        yield read_aligned_tables
    if may_hold_split_table(text):
        yield read_split_tables
    if _may_insert(text):
        yield read_inserts


def _read_items(
    text: str, tags: Sequence[tuple[int, int]], heads: Sequence[tuple[int, int]]
) -> Iterator[UnownedPair]:
    """Yield the values of keys that are not headings; ``heads`` are the headings of tables."""
    claimed: list[tuple[int, int]] = list(tags)
    if ("'" in text or '"' in text) and _QUOTED_COLON.search(text) is not None:
        for item in read_quoted_keys(text):
            claimed.append((item.start, item.end))
            yield item
        if tags:
            claimed.sort()
    if ":" in text or "=" in text or "\uff1a" in text:
        yield from read_assignments(text, claimed)
    if has_columns(text):
        columns = read_columns(text)
        yield from (
            [column for column in columns if not any(a <= column.at < b for a, b in heads)]
            if heads
            else columns
        )
    if " -" in text:
        yield from read_options(text)
    yield from read_passed_arguments(text)
    yield from read_printed_values(text)


def _without_overlaps(
    pairs: Sequence[KeyValuePair], resolved: Sequence[KeyValuePair]
) -> Iterator[KeyValuePair]:
    """Yield the pairs that do not partly overlap any of the resolved ones, which are sorted."""
    starts = [pair.start for pair in resolved]
    for pair in pairs:
        inside = bisect_left(starts, pair.end)
        before = bisect_left(starts, pair.start)
        if inside and starts[inside - 1] > pair.start and resolved[inside - 1].end > pair.end:
            continue
        if before and pair.start < resolved[before - 1].end < pair.end:
            continue
        yield pair


def _resolve(candidates: Iterable[KeyValuePair], limit: int) -> list[KeyValuePair]:
    """Return the pairs in order, without those that partly overlap or repeat another one."""
    resolved: list[KeyValuePair] = []
    ends: list[int] = []
    last_span, keys = (-1, -1), set[str]()
    for pair in sorted(candidates, key=lambda pair: (pair.start, -pair.end)):
        span = (pair.start, pair.end)
        if span == last_span:
            if pair.key in keys:
                continue
        else:
            while ends and ends[-1] <= pair.start:
                ends.pop()
            if ends and pair.end > ends[-1]:
                continue
            ends.append(pair.end)
            last_span, keys = span, set()
        keys.add(pair.key)
        resolved.append(pair)
        if len(resolved) >= limit:
            break
    return resolved


def _add_nested(
    text: str, resolved: Sequence[KeyValuePair], first: int, depth: int, limit: int
) -> tuple[list[KeyValuePair], int]:
    """Return the pairs, and the pairs nested in the strings among them."""
    pairs = list(resolved)
    covered = -1
    for pair in resolved:
        if len(pairs) >= limit:
            break
        if pair.end - pair.start < _MIN_INNER or pair.form in _NO_TEXT or pair.end <= covered:
            continue
        if _INNER.search(pair.value) is None:
            continue
        covered = pair.end
        inner, first = _read(pair.value, first, depth - 1, limit - len(pairs))
        if not inner:
            continue
        times = _escape_depth(text, pair)
        value, origin = locate_characters(text[pair.start : pair.end], pair.form, times)
        if value == pair.value:
            pairs += [_outer(inner_pair, pair, origin, times) for inner_pair in inner]
    return (_resolve(pairs, limit) if len(pairs) > len(resolved) else pairs), first


def _escape_depth(text: str, pair: KeyValuePair) -> int:
    """Return how often a string's backslashes are undone, by those before its quotation mark."""
    if pair.form not in ("json_string", "python_string"):
        return 1
    position = pair.start - 1
    while position > 0 and text[position - 1] == "\\" and pair.start - position < 9:
        position -= 1
    return (pair.start - position).bit_length()


def _outer(
    inner: KeyValuePair, outer: KeyValuePair, origin: Sequence[int], times: int
) -> KeyValuePair:
    start = outer.start + origin[inner.start]
    end = outer.start + origin[inner.end]
    quote = quotation_mark(inner.quote, outer.form, times) if inner.quote else ""
    return KeyValuePair(inner.key, start, end, inner.value, inner.owner, inner.form, quote)
