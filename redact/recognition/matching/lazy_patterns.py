"""Patterns of recognisers, whose expressions are compiled on first use.

A text needs a few of hundreds of patterns; a test compiles all of them
(``tests/redact/test_patterns.py``).
"""

from functools import lru_cache
from typing import Any

import regex


class ScoredPattern:
    """An expression of the module ``regex`` with a name; its matches ``score`` from 0 to 1."""

    __slots__ = ("name", "regex", "score")

    def __init__(self, name: str, regex: str, score: float) -> None:
        self.name = name
        self.regex = regex
        self.score = score


@lru_cache(maxsize=8_192)
def compile_expression(expression: str, flags: int) -> Any:
    """Return an expression compiled by the module ``regex``, once per process."""
    return regex.compile(expression, flags=flags)
