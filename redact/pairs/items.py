"""What the readers of pairs find on the way: literals, signs, cells, open elements."""

from mypy_extensions import mypyc_attr

from redact.pairs.pair import ValueForm


@mypyc_attr(acyclic=True)
class ValueLiteral:
    """A literal: the span of its value, the decoded value, and where the text continues.

    Backslash escapes are undone ``times`` times; ``closed`` is False if the end is missing.
    """

    __slots__ = ("after", "closed", "end", "form", "mark", "start", "times", "value")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        start: int,
        end: int,
        value: str,
        form: ValueForm,
        after: int,
        times: int = 1,
        closed: bool = True,  # noqa: FBT001, FBT002
        mark: str = "",
    ) -> None:
        self.start = start
        self.end = end
        self.value = value
        self.form = form
        self.after = after
        self.times = times
        self.closed = closed
        self.mark = mark


@mypyc_attr(acyclic=True)
class KeySign:
    """A sign with its key, before its value is known.

    ``position`` and ``after`` are those of the sign. ``first`` means that only bullets precede the
    key in its line, ``prose`` that a sentence does.
    """

    __slots__ = ("after", "at", "first", "key", "position", "prose", "sign")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        key: str,
        at: int,
        sign: str,
        position: int,
        after: int,
        first: bool,  # noqa: FBT001
        prose: bool,  # noqa: FBT001
    ) -> None:
        self.key = key
        self.at = at
        self.sign = sign
        self.position = position
        self.after = after
        self.first = first
        self.prose = prose


@mypyc_attr(acyclic=True)
class TableCell:
    """A field of a row: the span of its value, and the decoded value."""

    __slots__ = ("end", "form", "start", "value")

    def __init__(
        self,
        start: int,
        end: int,
        value: str,
        form: ValueForm,
    ) -> None:
        self.start = start
        self.end = end
        self.value = value
        self.form = form


@mypyc_attr(acyclic=True)
class OpenElement:
    """An open element: its name, the key of its text, and the start of its text."""

    __slots__ = ("has_elements", "key", "name", "owner", "start")

    def __init__(
        self,
        name: str,
        key: str,
        start: int,
        owner: int,
        has_elements: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.name = name
        self.key = key
        self.start = start
        self.owner = owner
        self.has_elements = has_elements
