"""A key with its value in a text, and the limits for every reader."""

from typing import Final, Literal

from mypy_extensions import mypyc_attr

MAX_PAIRS = 50_000
"""Maximum number of pairs in one text; the rest is treated as plain text."""
MAX_DEPTH = 3
"""Nesting of texts within values: escaped JSON in a string in a log line."""
MAX_VALUE = 2_000
"""Longest value without quotation marks: a longer one is prose."""

ValueForm = Literal[
    "json_string",
    "json_number",
    "python_string",
    "python_number",
    "python_call",
    "bare",
    "percent",
    "xml",
    "cell",
]
"""Notation of a value. Strings are enclosed in ``"`` (``json_string``) or ``'``
(``python_string``); ``python_call`` is a constructor such as ``datetime.date(1979, 8, 30)``, whose
value is the date in ISO 8601; ``cell`` is a field of a table."""


@mypyc_attr(acyclic=True)
class KeyValuePair:
    """A key and the span of its value in the text.

    ``text[start:end]`` is the value without quotation marks and tags, ``value`` is its decoded
    form. ``owner`` is equal for the pairs of one object, row, form, element or block of lines.
    ``quote`` must enclose a string that replaces the value: ``"`` for a JSON number, escaped as
    often as the text around it; empty if nothing is needed.
    """

    __slots__ = ("end", "form", "key", "owner", "quote", "start", "value")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        key: str,
        start: int,
        end: int,
        value: str,
        owner: int,
        form: ValueForm,
        quote: str = "",
    ) -> None:
        self.key: Final = key
        self.start: Final = start
        self.end: Final = end
        self.value: Final = value
        self.owner: Final = owner
        self.form: Final = form
        self.quote: Final = quote

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, KeyValuePair)
            and self.key == other.key
            and self.start == other.start
            and self.end == other.end
            and self.value == other.value
            and self.owner == other.owner
            and self.form == other.form
            and self.quote == other.quote
        )

    def __hash__(self) -> int:
        return hash(
            (
                self.key,
                self.start,
                self.end,
                self.value,
                self.owner,
                self.form,
                self.quote,
            )
        )


@mypyc_attr(acyclic=True)
class UnownedPair:
    """A pair before its owner is determined.

    ``at`` is the position of the key. A heading has no value: its ``start`` is -1. Items with
    ``more`` are further values of the previous key.
    """

    __slots__ = ("at", "end", "form", "key", "more", "quote", "start", "value")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        key: str,
        at: int,
        start: int,
        end: int,
        value: str,
        form: ValueForm,
        quote: str = "",
        more: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.key = key
        self.at = at
        self.start = start
        self.end = end
        self.value = value
        self.form = form
        self.quote = quote
        self.more = more
