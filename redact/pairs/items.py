"""What the readers of pairs find on the way: literals, signs, cells, open elements."""

import msgspec

from redact.pairs.pair import ValueForm


class ValueLiteral(msgspec.Struct, gc=False):
    """A literal: the span of its value, the decoded value, and where the text continues.

    Backslash escapes are undone ``times`` times; ``closed`` is False if the end is missing.
    """

    start: int
    end: int
    value: str
    form: ValueForm
    after: int
    times: int = 1
    closed: bool = True
    mark: str = ""


class KeySign(msgspec.Struct, gc=False):
    """A sign with its key, before its value is known.

    ``position`` and ``after`` are those of the sign. ``first`` means that only bullets precede the
    key in its line, ``prose`` that a sentence does.
    """

    key: str
    at: int
    sign: str
    position: int
    after: int
    first: bool
    prose: bool


class TableCell(msgspec.Struct, gc=False):
    """A field of a row: the span of its value, and the decoded value."""

    start: int
    end: int
    value: str
    form: ValueForm


class OpenElement(msgspec.Struct, gc=False):
    """An open element: its name, the key of its text, and the start of its text."""

    name: str
    key: str
    start: int
    owner: int
    has_elements: bool = False
