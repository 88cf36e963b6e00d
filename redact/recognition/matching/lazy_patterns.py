"""Patterns of recognisers that are compiled when a text first needs them.

Presidio compiles the expression of each pattern when it is made, only to see whether it is one, and
each again for its flags. Of hundreds of patterns a text needs a few; that all can be compiled is
tested (``tests/redact/test_patterns.py``).
"""

from functools import lru_cache
from typing import Any

import regex
from presidio_analyzer import Pattern


class LazyPattern(Pattern):
    """A pattern of Presidio whose expression is not compiled yet; ``score`` is from 0 to 1."""

    def __init__(self, name: str, expression: str, score: float) -> None:
        # Not the constructor of Pattern: it compiles.
        self.name = name
        self.regex = expression
        self.score = score
        self.compiled_regex = None
        self.compiled_with_flags = None


@lru_cache(maxsize=8_192)
def compile_expression(expression: str, flags: int) -> Any:
    """Return an expression compiled by the module ``regex``, once in a process."""
    return regex.compile(expression, flags=flags)
