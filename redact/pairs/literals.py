"""Reads a literal at a position: a string at any depth of escapes, a number, a call."""

import re

from redact.pairs.escapes import read_value
from redact.pairs.items import ValueLiteral
from redact.pairs.pair import ValueForm

_OPEN = re.compile(r"""(?:[bBuUrRfF]{1,2}(?=["']))?(\\{0,7})(["'])""")
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*+(?:\.[0-9]*+)?(?:[eE][-+]?[0-9]++)?(?![\w.:@/+-])")
_CALL = re.compile(
    r"""<?[A-Za-z_][\w.]{0,60}+\((?:(["'])([^"'\\\n]{0,500}+)\1"""
    r"""|([0-9, ]{1,60}+)(?:, ?tzinfo=[\w.() ]{1,60}?)?)\)"""
)
_RUNS = {mark: re.compile(rf"(?<!\\)(\\*+){mark}|\n") for mark in "\"'"}
_RAW_LINES = re.compile(r'(?:[^"\\\n]{0,500}+\n){1,8}+[^"\\\n]{0,500}+"(?=\s{0,40}+[,}\]])')
_CUT = re.compile(r"\s*(?:\.{3}|\u2026)\s*(?:\[|\(|<|\Z).{0,80}\Z|\\+\Z", re.DOTALL)
_LIST_STEP = re.compile(r"[\s,]{0,80}+")
_NAMED_DATES = re.compile(r"<?(?:\w+\.)*(?:date|datetime|Timestamp|DateTime)\(")
STRINGS: dict[str, ValueForm] = {'"': "json_string", "'": "python_string"}


def read_string(text: str, position: int) -> ValueLiteral | None:
    """Return the string that begins at a position, even one without an end."""
    opened = _OPEN.match(text, position)
    if opened is None:
        return None
    slashes, mark = len(opened[1]), opened[2]
    start = opened.end()
    triple = mark * 3
    if not slashes and text.startswith(triple, start - 1):
        return _triple(text, start + 2, triple)
    end, after, closed = _end(text, start, slashes, mark)
    if not closed and mark == '"' and not slashes:
        lines = _RAW_LINES.match(text, start)
        if lines is not None:
            end, after, closed = lines.end() - 1, lines.end(), True
    raw = text[start:end]
    if not closed:
        cut = _CUT.search(raw, max(len(raw) - 120, 0))
        if cut is not None:
            raw = raw[: cut.start()]
            end = start + len(raw)
    form = STRINGS[mark]
    times = (slashes + 1).bit_length()
    return ValueLiteral(
        start, end, read_value(raw, form, times), form, after, times, closed, opened[1] + mark
    )


def _triple(text: str, start: int, mark: str) -> ValueLiteral:
    end = text.find(mark, start, start + 20_000)
    form = STRINGS[mark[0]]
    if end < 0:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        return ValueLiteral(
            start, end, read_value(text[start:end], form), form, end, closed=False, mark=mark[0]
        )
    return ValueLiteral(start, end, read_value(text[start:end], form), form, end + 3, mark=mark[0])


def _end(text: str, start: int, slashes: int, mark: str) -> tuple[int, int, bool]:
    """Return the end of a string's content, where the text continues, and whether it is closed.

    A quotation mark inside a string that is escaped n times has more backslashes before it than the
    string's own; one with fewer closes an enclosing string.
    """
    position = start
    pattern = _RUNS[mark]
    while True:
        match = pattern.search(text, position)
        if match is None:
            return len(text), len(text), False
        position = match.end()
        if match[1] is None:
            return match.start(), match.start(), False
        run = position - 1 - max(match.start(), start)
        if run < slashes:
            return match.start(), match.start(), False
        if run % (2 * slashes + 2) == slashes and not _is_apostrophe(text, position - 1):
            return position - 1 - slashes, position, True


def _is_apostrophe(text: str, position: int) -> bool:
    return (
        text[position] == "'"
        and text[position - 1].isalnum()
        and text[position + 1 : position + 2].isalnum()
    )


def read_number(text: str, position: int, mark: str) -> ValueLiteral | None:
    """Return the number that begins at a position; ``mark`` quotes the keys around it."""
    match = _NUMBER.match(text, position)
    if match is None:
        return None
    form: ValueForm = "python_number" if mark.endswith("'") else "json_number"
    return ValueLiteral(position, match.end(), match[0], form, match.end(), mark=mark)


def read_call(text: str, position: int, mark: str) -> ValueLiteral | None:
    """Return the constructor at a position, ``Decimal('1.5')`` or ``date(1979, 8, 30)``."""
    match = _CALL.match(text, position)
    if match is None:
        return None
    if match[1]:
        return ValueLiteral(match.start(2), match.end(2), match[2], STRINGS[match[1]], match.end())
    value = match[3].strip()
    if _NAMED_DATES.match(match[0]):
        value = "-".join(part.strip().zfill(2) for part in value.split(",")[:3])
    return ValueLiteral(position, match.end(), value, "python_call", match.end(), mark=mark)


def read_list(text: str, position: int, mark: str, limit: int = 1_000) -> list[ValueLiteral]:
    """Return the strings and numbers of a list, up to the first item that is neither."""
    literals: list[ValueLiteral] = []
    position += 1
    while len(literals) < limit:
        step = _LIST_STEP.match(text, position)
        position = step.end() if step else position
        inner = read_string(text, position) or read_number(text, position, mark)
        if inner is None or (literals and not inner.closed):
            break
        literals.append(inner)
        position = inner.after
    return literals
