"""Relaxes regular expressions for a prefilter that never misses a match.

Every change only adds matches: an assertion is dropped, or becomes part of the match at an end of
the expression; a long repeat becomes unbounded, a very long optional group becomes anything. So a
text without a match of the relaxed expression has no match of the original.

There are two dialects, both of single bytes. ASCII is for ASCII texts. SHADOW is for all others, in
which each non-ASCII character has been replaced by the byte 0xFF: this byte may be a letter, a
space or anything else, and word boundaries are ignored.
"""

import re
from enum import Enum, auto

_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_FOREIGN = re.compile(r"[^\x00-\x7f](?:-[^\x00-\x7f])?")
_LONG = 16
_EXACT = 20
"""A repeat of at most this exact count stays unchanged."""

_LONG_OPTION = 400
"""An optional group with more characters becomes anything."""

_ANYTHING = r"[\s\S]*"
_MARKS = ("(?<=", "(?<!", "(?=", "(?!")
_ANY = r"\xff"
_SAME_LETTER = {"\u017f": "[sS]", "\u212a": "[kK]", "\u0130": "[iI]", "\u0131": "[iI]"}
_LETTERS = {r"[^\W\d_]": rf"[A-Za-z{_ANY}]", r"[^\W_]": rf"[A-Za-z0-9{_ANY}]"}
_SHADOWED = {
    r"\b": "",
    r"\B": "",
    r"\w": rf"[\w{_ANY}]",
    r"\s": rf"[\s{_ANY}]",
    r"\d": rf"[\d{_ANY}]",
}


class TextDialect(Enum):
    """The kind of texts that a relaxed expression is for."""

    ASCII = auto()
    SHADOW = auto()


def relax_regex(expression: str, dialect: TextDialect) -> str:
    """Return a superset of an expression, for hyperscan.

    Raises:
        ValueError: it uses a construct with no relaxed form.
    """
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), expression)
    return _REPEAT.sub(_open, _rewrite(plain, dialect))


def _open(match: re.Match[str]) -> str:
    least, most = int(match[1]), int(match[3] or match[1])
    if not match[3] and least <= _EXACT:
        return match[0]
    return f"{{{min(least, _LONG)},}}" if most > _LONG else match[0]


def _rewrite(expression: str, dialect: TextDialect) -> str:
    """Drop look-arounds (a positive one at the start or end becomes a part) and translate."""
    pieces: list[str] = []
    index = 0
    while index < len(expression):
        mark = next((m for m in _MARKS if expression.startswith(m, index)), None)
        if mark is not None:
            end = group_end(expression, index)
            at_start = mark == "(?<=" and "".join(pieces) in ("", "(?i)")
            at_end = mark == "(?=" and end + 1 == len(expression)
            if at_start or at_end:
                body = expression[index + len(mark) : end]
                pieces.append(f"(?:{_rewrite(body, dialect)})")
            index = end + 1
            continue
        if expression.startswith("(?:", index):
            end = group_end(expression, index)
            if end - index > _LONG_OPTION and expression.startswith("?", end + 1):
                pieces.append(_ANYTHING)
                index = end + 2
                continue
        end = _token_end(expression, index)
        pieces.append(_translate(expression[index:end], dialect))
        index = end
    return "".join(pieces)


def _translate(token: str, dialect: TextDialect) -> str:
    """Translate one character, escape or class into a dialect."""
    if token in ("\\Z", "\\K"):
        return ""
    if dialect is TextDialect.ASCII:
        return _in_ascii(token)
    if token[0] != "[":
        return _SHADOWED.get(token, token if token.isascii() else _ANY)
    if token in _LETTERS:
        return _LETTERS[token]
    negated = token.startswith("[^")
    if r"\W" in token or (negated and r"\S" in token):
        raise ValueError("this character class has no relaxed form")
    foreign = not token.isascii() or r"\w" in token or r"\s" in token or r"\d" in token
    token = _FOREIGN.sub("", token)
    return token if negated or not foreign else _with_any(token)


def _with_any(token: str) -> str:
    """Add the byte of non-ASCII characters to a class, where it makes no range."""
    if token.startswith("[]"):
        return f"{token[:-1]}{_ANY}]"
    hyphen = "\\" if token.startswith("[-") else ""
    return f"[{_ANY}{hyphen}{token[1:]}"


def _in_ascii(token: str) -> str:
    """Translate for ASCII texts: some non-ASCII characters match ASCII letters, ignoring case."""
    if token.isascii():
        return token
    if token[0] == "[":
        plain = _FOREIGN.sub("", token)
        return {"[]": _ANY, "[^]": r"[\s\S]"}.get(plain, plain)
    return _SAME_LETTER.get(token, _ANY)


def _token_end(expression: str, index: int) -> int:
    if expression[index] == "\\":
        return index + 2
    return _class_end(expression, index) if expression[index] == "[" else index + 1


def group_end(expression: str, start: int) -> int:
    """Return where the group that opens at ``start`` closes."""
    depth = 0
    index = start
    while index < len(expression):
        if expression[index] == "(":
            depth += 1
        elif expression[index] == ")":
            depth -= 1
            if depth == 0:
                return index
        index = _token_end(expression, index)
    raise ValueError("a group in the expression is not closed")


def _class_end(expression: str, start: int) -> int:
    """Return the index after the character class that opens at ``start``."""
    index = start + 1
    if expression.startswith("^", index):
        index += 1
    if expression.startswith("]", index):
        index += 1
    while expression[index] != "]":
        index += 2 if expression[index] == "\\" else 1
    return index + 1
