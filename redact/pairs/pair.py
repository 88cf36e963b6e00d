"""A key with its value in a text, and the limits for every reader."""

from typing import Literal

import msgspec

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


class KeyValuePair(msgspec.Struct, frozen=True, gc=False):
    """A key and the span of its value in the text.

    ``text[start:end]`` is the value without quotation marks and tags, ``value`` is its decoded
    form. ``owner`` is equal for the pairs of one object, row, form, element or block of lines.
    ``quote`` must enclose a string that replaces the value: ``"`` for a JSON number, escaped as
    often as the text around it; empty if nothing is needed.
    """

    key: str
    start: int
    end: int
    value: str
    owner: int
    form: ValueForm
    quote: str = ""


class UnownedPair(msgspec.Struct, gc=False):
    """A pair before its owner is determined.

    ``at`` is the position of the key. A heading has no value: its ``start`` is -1. Items with
    ``more`` are further values of the previous key.
    """

    key: str
    at: int
    start: int
    end: int
    value: str
    form: ValueForm
    quote: str = ""
    more: bool = False
