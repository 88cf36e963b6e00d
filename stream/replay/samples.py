"""Shows how a replay changes a text, without showing what either policy let through.

Only text common to both versions is shown, and only a few characters around a change. Changed text
is shown as placeholders, or as its length. So a name that the old policy missed does not appear on
a screen because the new one found it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from redact.crypto.pseudonyms import PLACEHOLDER

CONTEXT_CHARACTERS = 24
MAX_ALIGNED_CHARACTERS = 6_000
"""For longer texts only the length is shown: aligning is slow."""
_TOKEN = re.compile(rf"{PLACEHOLDER.pattern}|<[A-Z][A-Z_]{{1,39}}>|\w+|\s+|[^\w\s]")
_TYPED = re.compile(rf"{PLACEHOLDER.pattern}|<[A-Z][A-Z_]{{1,39}}>")


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """A value that differs: its path (`messages.2.content`), and both versions as shown."""

    path: str
    before: str
    after: str


def find_changed_values(path: str, before: Any, after: Any) -> Iterator[ChangedValue]:
    """Yield the values that differ between two Python values of one column."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            yield from find_changed_values(f"{path}.{key}", before[key], after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from find_changed_values(f"{path}.{index}", *pair)
    elif isinstance(before, str) and isinstance(after, str):
        yield ChangedValue(path, *mask_differences(before, after))
    else:
        yield ChangedValue(path, _length(before), _length(after))


def mask_differences(before: str, after: str) -> tuple[str, str]:
    """Return two texts with their differences as placeholders or lengths, and some context."""
    if max(len(before), len(after)) > MAX_ALIGNED_CHARACTERS:
        return _length(before), _length(after)
    left, right = _tokens(before), _tokens(after)
    pieces: tuple[list[str], list[str]] = ([], [])
    codes = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for index, (operation, a, b, c, d) in enumerate(codes):
        if operation == "equal":
            same = "".join(left[a:b])
            same = _short(same, first=index == 0, last=index == len(codes) - 1)
            pieces[0].append(same)
            pieces[1].append(same)
        else:
            pieces[0].append(_mask("".join(left[a:b])))
            pieces[1].append(_mask("".join(right[c:d])))
    return "".join(pieces[0]), "".join(pieces[1])


def _tokens(text: str) -> list[str]:
    return [match.group() for match in _TOKEN.finditer(text)]


def _short(text: str, *, first: bool, last: bool) -> str:
    if len(text) <= 2 * CONTEXT_CHARACTERS:
        return text
    head = "" if first else text[:CONTEXT_CHARACTERS]
    tail = "" if last else text[-CONTEXT_CHARACTERS:]
    return f"{head}…{tail}"


def _mask(text: str) -> str:
    """Return the placeholders of a text, and the lengths of the rest."""
    pieces, at = [], 0
    for match in _TYPED.finditer(text):
        pieces += [_size(match.start() - at), match.group()]
        at = match.end()
    return "".join([*pieces, _size(len(text) - at)])


def _size(characters: int) -> str:
    return f"[{characters} characters]" if characters else ""


def _length(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str | list | dict):
        return f"[{len(value)} {'characters' if isinstance(value, str) else 'items'}]"
    return "[a number or a time]"
