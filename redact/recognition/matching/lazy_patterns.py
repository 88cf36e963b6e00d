"""Patterns of recognisers that are compiled on first use.

Presidio compiles the expression of each pattern on construction, only to validate it, and once more
for its flags. A text needs a few of hundreds of patterns; a test compiles all of them
(``tests/redact/test_patterns.py``).
"""

from functools import lru_cache
from typing import Any

import regex
from presidio_analyzer import Pattern


class LazyPattern(Pattern):
    """A Presidio pattern whose expression is not compiled yet; ``score`` is from 0 to 1."""

    def __init__(self, name: str, expression: str, score: float) -> None:
        # The constructor of Pattern is not called: it compiles.
        self.name = name
        self.regex = expression
        self.score = score
        self.compiled_regex = None
        self.compiled_with_flags = None


@lru_cache(maxsize=8_192)
def compile_expression(expression: str, flags: int) -> Any:
    """Return an expression compiled by the module ``regex``, once per process."""
    return regex.compile(expression, flags=flags)
