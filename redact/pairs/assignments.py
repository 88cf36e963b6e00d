"""Reads values of unquoted keys: ``key: value`` and ``key=value`` in lines, logs, forms.

A value extends to the next key, or to the end of a value of its kind.
"""

import re
from collections.abc import Iterator, Sequence

from redact.lexical.turns import with_turns
from redact.pairs.escapes import read_value
from redact.pairs.extents import trim_extent, value_extent
from redact.pairs.items import KeySign, ValueLiteral
from redact.pairs.key_signs import SIGN_PATTERN, KeySignReader
from redact.pairs.literals import read_call, read_list, read_string
from redact.pairs.pair import MAX_VALUE, UnownedPair, ValueForm
from redact.pairs.quoted_keys import pair_of_literal
from redact.pairs.values_below import BLOCK, read_block_below, read_lines_below

_SPACE = re.compile(r"[ \t\u3000]*+[*_`~]{0,3}+[ \t\u3000]*+")
_AFTER_STRING = re.compile(r"[\s,;|)}\]&<>.]|\Z|\\[nrt\"']|['\"]")
_GLUED = re.compile(r"[^\s,;|\"'<>(){}]{1,200}+")
_INLINE_TAGS = re.compile(r"(?:</?[A-Za-z][^<>@]{0,200}+>\s{0,20}+){1,4}+")
_WORD = {
    "=": re.compile(r"([\w@.:/-]*\w)(?=[ ]{1,4}[^\W\d][\w.-]{0,60}+=|[;,)\]}\n]|\Z)"),
    ":": re.compile(r"[ ]([\w@.+-]*[^\W_])(?=\n|\Z)"),
}
"""The most common values, by their sign: a word, and then the next key or an end."""
_WRAPPED = re.compile(r"(?:Str|Int|Double|Some|Just|Text|String|Value)\(([^()\"'\n]{1,500})\)")
"""A value as printed by the OpenTelemetry collector and some languages: `Str(mia)`."""
_OF_FORMS = ("&", "?")
_NOT_FLAT = re.compile(r"[\n{(\[\"'=:]")
_YAML_TAG = re.compile(r"(?:!{1,2}[\w:/.-]{0,40}+|&[\w-]{1,40}+)[ \t]+")


def read_assignments(text: str, claimed: Sequence[tuple[int, int]]) -> Iterator[UnownedPair]:
    """Yield the values of keys without quotation marks, and headings, in order.

    ``claimed`` are the spans, in order, of values that other readers found: no key is read there.
    """
    marks = KeySignReader(text)
    before: KeySign | None = None
    skip = floor = index = 0
    count = len(claimed)
    for sign in with_turns(SIGN_PATTERN.finditer(text)):
        position = sign.start()
        if position < skip:
            continue
        while index < count and claimed[index][1] <= position:
            index += 1
        if index < count and claimed[index][0] <= position:
            continue
        mark = marks.mark(sign, floor, follows=before is not None)
        if mark is None:
            continue
        if before is not None:
            yield from _read_bare(text, before, mark)
        before, floor = None, mark.after
        items, skip = _read_literals(text, mark)
        if items:
            yield from items
            floor = skip
        elif mark.sign != "=>" or "(" in text[position : position + 5] or _is_print(text, mark):
            before = mark
    if before is not None:
        yield from _read_bare(text, before, None)


def _is_print(text: str, mark: KeySign) -> bool:
    """Return whether an arrow is one of PHP's ``print_r``, ``[key] => value``."""
    return text[mark.at - 1 : mark.at] == "[" or text[mark.after + 1 : mark.after + 2].isdigit()


def _read_literals(text: str, mark: KeySign) -> tuple[list[UnownedPair], int]:
    """Return the word, strings or constructor after a sign, and where the text continues."""
    word = _WORD[mark.sign].match(text, mark.after) if mark.sign in _WORD else None
    if word is not None and text[mark.at - 1 : mark.at] not in _OF_FORMS:
        item = UnownedPair(mark.key, mark.at, word.start(1), word.end(), word[1], "bare")
        return [item], word.end()
    gap = _SPACE.match(text, mark.after)
    position = gap.end() if gap else mark.after
    head = text[position : position + 3]
    if head[:1] == "!" or (head[:1] == "&" and mark.sign != "="):
        tag = _YAML_TAG.match(text, position)
        position = tag.end() if tag else position
        head = text[position : position + 3]
    if '"' in head or "'" in head or "\\" in head:
        literal = read_string(text, position)
        if literal is not None and _is_complete(text, literal):
            return [pair_of_literal(mark.key, mark.at, literal)], literal.after
    quote = "'" if mark.sign == "=" else '"'
    if head[:1] == "[":
        literals = read_list(text, position, quote) or _read_bare_list(text, position)
        items = [
            pair_of_literal(mark.key, mark.at, value, more=n > 0)
            for n, value in enumerate(literals)
        ]
        return items, literals[-1].after if literals else 0
    if head[:1].isalpha() or head[:1] == "<":
        call = read_call(text, position, quote)
        if call is not None:
            return [pair_of_literal(mark.key, mark.at, call)], call.after
    return [], 0


def _is_complete(text: str, literal: ValueLiteral) -> bool:
    """Return whether a string is a complete value, or the beginning of a truncated one."""
    if literal.closed:
        return _AFTER_STRING.match(text, literal.after) is not None
    return literal.mark == '"'


def _read_bare(text: str, mark: KeySign, after: KeySign | None) -> list[UnownedPair]:
    """Return the value without quotation marks between a sign and the next one."""
    gap = _SPACE.match(text, mark.after)
    start = gap.end() if gap else mark.after
    if start > mark.after and text[mark.at - 1 : mark.at] in _OF_FORMS and mark.sign == "=":
        return [_heading(mark)]  # `&address= HTTP/1.1`
    line_end = text.find("\n", mark.position, mark.position + MAX_VALUE)
    if line_end < 0:
        line_end = min(len(text), mark.position + MAX_VALUE)
    last = after is None or after.at >= line_end
    limit = line_end if after is None or last else after.at
    if start >= line_end or (text[start] in "|>" and BLOCK.match(text, start)):
        return _read_below(text, mark, line_end, after, block=start < line_end)
    if text[start] in "{[":
        return [_heading(mark)]
    if text[start] == "<":
        tags = _INLINE_TAGS.match(text, start, line_end)
        start = tags.end() if tags else start
        limit = max(limit, start)
    if after is not None and after.at == start and text[after.after : after.after + 1].strip():
        if mark.sign == "=" and start > mark.after and text[mark.position - 1] not in " \t":
            return [_heading(mark)]  # `address= took=12ms`
        word = _GLUED.match(text, start)
        start, end = trim_extent(text, start, word.end() if word else limit)
        form: ValueForm = "bare"
    else:
        ends = last or (after is not None and after.sign != mark.sign)
        start, end, form = value_extent(text, mark, start, limit, last=ends)
    raw = text[start:end]
    if raw[-1:] == ")" and (wrapped := _WRAPPED.fullmatch(raw)) is not None:
        start, end, raw = start + wrapped.start(1), end - 1, wrapped[1]
    if raw[-1:] in ("(", "[", "{") or not any(map(str.isalnum, raw)):
        return [_heading(mark)]
    key = read_value(mark.key, "percent") if form == "percent" else mark.key
    return [UnownedPair(key, mark.at, start, end, read_value(raw, form), form)]


def _read_below(
    text: str, mark: KeySign, line_end: int, after: KeySign | None, *, block: bool
) -> list[UnownedPair]:
    if block:
        items = read_block_below(text, mark, line_end + 1)
        if after is not None and items and after.at < items[0].end:
            items = [_heading(mark)] if after.at < items[0].start else items
    else:
        stop = after.at if after is not None else len(text)
        items = read_lines_below(text, mark, line_end + 1, stop)
    return items or [_heading(mark)]


def _heading(mark: KeySign) -> UnownedPair:
    return UnownedPair(mark.key, mark.at, -1, -1, "", "bare")


def _read_bare_list(text: str, position: int) -> list[ValueLiteral]:
    """Return the words of a YAML list, ``[a, b]``."""
    end = text.find("]", position, position + 500)
    literals: list[ValueLiteral] = []
    if end < 0 or _NOT_FLAT.search(text, position + 1, end) is not None:
        return literals
    at = position + 1
    for part in text[at:end].split(","):
        value = part.strip()
        if value:
            start = at + len(part) - len(part.lstrip())
            literals.append(
                ValueLiteral(start, start + len(value), value, "bare", start + len(value))
            )
        at += len(part) + 1
    return literals
