"""Reads named values in source code: arguments of calls, directives, defaults."""

import re
from collections.abc import Iterator

from redact.pairs.literals import read_string
from redact.pairs.pair import UnownedPair
from redact.pairs.quoted_keys import pair_of_literal

_SETTER = re.compile(
    r"\b(?:set|with|put|update|change|reset|assign)_?([A-Za-z]\w{1,50}+)\([ ]{0,4}+(?=[\"'])"
)
_PAIR = re.compile(
    r"(?:(?<=[\w\[(,])|(?<=,[ \n]))\([ ]{0,4}+([\"'])(?=[^\"'\n]{0,50}[a-z_])"
    r"([A-Za-z][\w .-]{1,50}+)\1[ ]{0,4}+,[ ]{0,4}+"
    r"(?:(?=[\"'])|([0-9]{5,20}+)(?=[ ]{0,4}+[,)]))"
)
_DIRECTIVE = re.compile(
    r"(?:^|(?<=\n))[ \t]{0,40}+(?:\#[ ]{0,4}+define|proxy_set_header|add_header|fastcgi_param|"
    r"uwsgi_param|SetEnv|setenv|ENV|env)[ \t]{1,40}+([A-Za-z_][\w-]{1,60}+)[ \t]{1,40}+"
    r"(?:(?=[\"'])|([^\s\"';]{1,500}+))"
)
_DEFAULT = re.compile(
    r"\bvariable[ ]{1,4}+\"([^\"\n]{1,80}+)\"\s{0,10}+\{[^{}]{0,600}?"
    r"\bdefault[ ]{0,10}+=[ ]{0,10}+(?=\")"
)
_ANY_NAME = frozenset({"name", "title", "label", "text", "key", "value", "names"})
"""Names that a setter may set on anything: a thread, a window."""


def read_passed_arguments(text: str) -> Iterator[UnownedPair]:
    """Yield the values that are passed by name, in no order."""
    if "('" in text or '("' in text:
        yield from _setters(text)
        yield from _two_arguments(text)
    if "define" in text or "_header" in text or "_param" in text or "env" in text or "ENV" in text:
        yield from _directives(text)
    if 'variable "' in text and "default" in text:
        for match in _DEFAULT.finditer(text):
            yield from _string(text, match[1], match.start(1), match.end())


def _setters(text: str) -> Iterator[UnownedPair]:
    for match in _SETTER.finditer(text):
        if match[1].lower() not in _ANY_NAME:
            yield from _string(text, match[1], match.start(1), match.end())


def _two_arguments(text: str) -> Iterator[UnownedPair]:
    """Yield the second of two arguments if the first is its name: `put("ssn", "...")`."""
    for match in _PAIR.finditer(text):
        key, at = match[2], match.start(2)
        if key.lower() in _ANY_NAME:
            continue
        if match[3] is not None:
            yield UnownedPair(key, at, *match.span(3), match[3], "python_number", match[1])
        else:
            yield from _string(text, key, at, match.end())


def _directives(text: str) -> Iterator[UnownedPair]:
    for match in _DIRECTIVE.finditer(text):
        key, at = match[1], match.start(1)
        if match[2] is not None:
            yield UnownedPair(key, at, *match.span(2), match[2], "bare")
        else:
            yield from _string(text, key, at, match.end())


def _string(text: str, key: str, at: int, position: int) -> Iterator[UnownedPair]:
    literal = read_string(text, position)
    if literal is not None and literal.closed and literal.value:
        yield pair_of_literal(key, at, literal)
