"""A literal at a place of a text: a string at any depth of escapes, a number, a constructor."""

import re

import msgspec

from redact.pairs.escapes import read_value
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


class ValueLiteral(msgspec.Struct, gc=False):
    """A literal: the place of its value, what it reads as, and where the text goes on.

    ``times`` is how often backslashes are undone; ``closed`` is False if the end is missing.
    """

    start: int
    end: int
    value: str
    form: ValueForm
    after: int
    times: int = 1
    closed: bool = True
    mark: str = ""


def read_string(text: str, place: int) -> ValueLiteral | None:
    """Return the string that begins at a place, also one without an end."""
    opened = _OPEN.match(text, place)
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
    """Return the end of a string's content, where the text goes on, and whether it is closed.

    A quotation mark within a string that is escaped n times has more backslashes before it than
    the string's own; one with fewer closes a string around it.
    """
    place = start
    pattern = _RUNS[mark]
    while True:
        found = pattern.search(text, place)
        if found is None:
            return len(text), len(text), False
        place = found.end()
        if found[1] is None:
            return found.start(), found.start(), False
        run = place - 1 - max(found.start(), start)
        if run < slashes:
            return found.start(), found.start(), False
        if run % (2 * slashes + 2) == slashes and not _is_apostrophe(text, place - 1):
            return place - 1 - slashes, place, True


def _is_apostrophe(text: str, place: int) -> bool:
    return (
        text[place] == "'" and text[place - 1].isalnum() and text[place + 1 : place + 2].isalnum()
    )


def read_number(text: str, place: int, mark: str) -> ValueLiteral | None:
    """Return the number that begins at a place; ``mark`` quotes the keys around it."""
    found = _NUMBER.match(text, place)
    if found is None:
        return None
    form: ValueForm = "python_number" if mark.endswith("'") else "json_number"
    return ValueLiteral(place, found.end(), found[0], form, found.end(), mark=mark)


def read_call(text: str, place: int, mark: str) -> ValueLiteral | None:
    """Return the constructor at a place, ``Decimal('1.5')`` or ``date(1979, 8, 30)``."""
    found = _CALL.match(text, place)
    if found is None:
        return None
    if found[1]:
        return ValueLiteral(found.start(2), found.end(2), found[2], STRINGS[found[1]], found.end())
    value = found[3].strip()
    if _NAMED_DATES.match(found[0]):
        value = "-".join(part.strip().zfill(2) for part in value.split(",")[:3])
    return ValueLiteral(place, found.end(), value, "python_call", found.end(), mark=mark)


def read_list(text: str, place: int, mark: str, most: int = 1_000) -> list[ValueLiteral]:
    """Return the strings and numbers of a list, up to the first thing that is neither."""
    found: list[ValueLiteral] = []
    place += 1
    while len(found) < most:
        step = _LIST_STEP.match(text, place)
        place = step.end() if step else place
        inner = read_string(text, place) or read_number(text, place, mark)
        if inner is None or (found and not inner.closed):
            break
        found.append(inner)
        place = inner.after
    return found
