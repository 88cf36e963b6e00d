"""A key with its value as they stand in a text, and the bounds that every reader keeps."""

from typing import Literal

import msgspec

MAX_PAIRS = 50_000
"""Pairs of one text; what follows is text like any other."""
MAX_DEPTH = 3
"""Texts within values of texts: escaped JSON in a string in a line of a log."""
MAX_VALUE = 2_000
"""Characters of a value without quotation marks: a longer one is prose."""

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
"""How a value is written. Strings stand between ``"`` (``json_string``) or ``'``
(``python_string``); ``python_call`` is a constructor such as ``datetime.date(1979, 8, 30)``, whose
value reads as the date in ISO 8601; ``cell`` is a field of a table."""


class KeyValuePair(msgspec.Struct, frozen=True, gc=False):
    """A key and the place of its value in the text.

    ``text[start:end]`` is the value without quotation marks and tags, ``value`` what it reads as.
    ``owner`` is equal for the pairs of one object, row, form, element or block of lines. ``quote``
    is what a string needs around it if it takes the value's place: ``"`` for a number in JSON, as
    often escaped as the text around it; empty where nothing is needed.
    """

    key: str
    start: int
    end: int
    value: str
    owner: int
    form: ValueForm
    quote: str = ""


class UnownedPair(msgspec.Struct, gc=False):
    """What a reader found, before it is known who owns it.

    ``at`` is the place of the key. A heading has no value: its ``start`` is -1. ``more`` items are
    further values of the key before.
    """

    key: str
    at: int
    start: int
    end: int
    value: str
    form: ValueForm
    quote: str = ""
    more: bool = False
