"""What a PromQL expression asks for: the names of metrics, and the labels it matches on."""

import re
from collections.abc import Iterator

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_WORDS = {"and", "or", "unless", "bool", "inf", "nan", "by", "on"}


def metrics(expression: str) -> set[str]:
    """Return the names of all metrics in an expression."""
    bare = _RANGE.sub(" ", _GROUPING.sub(" ", _STRING.sub('""', expression)))
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    found = {m[1] for m in re.finditer(rf"(?<![\w:.$])({_NAME})\b(?!\s*\()", bare)}
    return found - _WORDS


def matched_labels(expression: str) -> Iterator[tuple[str, str]]:
    """Yield (metric, label) for every label that an expression matches on."""
    for selector in re.finditer(rf"({_NAME})\s*\{{([^}}]*)\}}", expression):
        for label in re.finditer(rf"({_NAME})\s*(?:=~|!~|!=|=)", _STRING.sub('""', selector[2])):
            yield selector[1], label[1]


def grouped_labels(expression: str) -> set[str]:
    """Return the labels that results are grouped by."""
    found: set[str] = set()
    for group in re.finditer(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        found |= {label.strip() for label in group[1].split(",") if label.strip()}
    return found
