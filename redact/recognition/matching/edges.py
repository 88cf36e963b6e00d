"""Edges of values: no letter or digit of the value's own alphabet adjoins them.

Python's ``\\b`` and ``\\w`` count the letters of all scripts and the underscore. In languages
without spaces a value often touches other letters, and in file names and Markdown it touches
underscores. Both are edges here.
"""

import re

LEFT = r"(?<![A-Za-z0-9])"
RIGHT = r"(?![A-Za-z0-9])"
"""Edges of a value of ASCII letters and digits."""

_BOUNDARY = re.compile(r"(?P<open>\A|\A\(\?i\)|[(|]|\?[:=!])\\b|\\b")
_LOOK = re.compile(r"\(\?<?!(?:\[[^\]]*\]|\\w)")

_SCRIPTS = (
    "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff0-9",
    "\u0370-\u03ff\u1f00-\u1fff",
    "\u0400-\u052f",
    "\u0530-\u058f",
    "\u0590-\u05ff",
    "\u0600-\u06ff\u0750-\u077f",
    "\u0900-\u097f",
    "\u10a0-\u10ff",
)
"""Letters of scripts with spaces between words; all others (Han, Thai) have none."""

_OWN = tuple((re.compile(f"[{letters}]"), letters) for letters in _SCRIPTS)


def add_edges(expression: str) -> str:
    """Return a Presidio expression with ASCII edges instead of ``\\b`` and ``\\w``."""
    plain = _BOUNDARY.sub(
        lambda match: RIGHT if match["open"] is None else f"{match['open']}{LEFT}", expression
    )
    return _LOOK.sub(
        lambda match: match[0].replace(r"\w", "A-Za-z0-9"),
        plain.replace(r"(?<!\w)", LEFT).replace(r"(?!\w)", RIGHT),
    )


def standalone_expression(word: str) -> str:
    """Return an expression for a word that is not part of a longer word of its script."""
    return f"{_before(word[:1])}{re.escape(word)}{_after(word[-1:])}"


def _before(character: str) -> str:
    own = _own(character)
    return f"(?<![{own}])" if own else ""


def _after(character: str) -> str:
    own = _own(character)
    return f"(?![{own}])" if own else ""


def _own(character: str) -> str:
    return next((letters for pattern, letters in _OWN if pattern.match(character)), "")
