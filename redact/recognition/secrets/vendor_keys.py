"""Recognisers for vendors' API keys: formats from gitleaks, and some of our own.

`vendor_keys.json` is generated from gitleaks' rules (`training.secrets.vendor_keys`);
`vendor_keys_own.json` is written by hand from the vendors' documentation. A rule has the expression
of a `value`; with a `word` it counts only if the word precedes the value in an assignment.
"""

import json
import re
from collections.abc import Sequence
from importlib import resources

import msgspec

from redact.lexical.randomness import entropy, reads_like_words
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_FILES = ("vendor_keys.json", "vendor_keys_own.json")
_START = r"(?<![A-Za-z0-9])"
_END = r"(?![A-Za-z0-9])"
_TAIL = r"[A-Za-z0-9]{0,200}"
_MARKED = re.compile(r"(?:\(\?i:)?(?:\(\?:[A-Za-z0-9|]+\)|[A-Za-z0-9~]){2,}(?:[_~-]|\\\.)")
"""A key with a word and a sign as prefix is unique to a vendor: it may exceed the rule's length."""

_ASSIGNED = (
    r"""[ \t\w.-]{0,20}[\s'"\\]{0,4}(?:=|>|:{1,3}=|\|\||[:,\uff1a\uff1d]|=>|\?=)[`'"\s=\\]{0,6}"""
)
_LEAST_ENTROPY = 2.5
"""Minimum bits per character; values below are dummies such as `ghp_xxxxxxxx`."""


class VendorKey(msgspec.Struct, frozen=True, gc=False):
    """One rule: its id, the expression of the value, and of the required word, if any."""

    id: str
    value: str
    word: str = ""


def load_vendor_keys() -> list[VendorKey]:
    """Return all rules, in the order of the files."""
    rules: list[VendorKey] = []
    for name in _FILES:
        document = json.loads((resources.files("redact") / name).read_text(encoding="utf-8"))
        rules += msgspec.convert(document["rules"], list[VendorKey])
    return rules


class VendorKeyRecogniser(PatternRecogniser):
    """Finds keys with a distinctive format."""

    def __init__(self, rules: Sequence[VendorKey]) -> None:
        super().__init__(
            supported_entity="SECRET",
            patterns=[ScoredPattern(r.id, _with_edges(r.value), 0.95) for r in rules if not r.word],
            global_regex_flags=0,
            name="VendorKeys",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse dummies, and identifiers made of words."""
        return entropy(pattern_text) < _LEAST_ENTROPY or reads_like_words(pattern_text)


class VendorContextRecogniser(PatternRecogniser):
    """Finds keys without a distinctive format after their vendor's name."""

    def __init__(self, rules: Sequence[VendorKey]) -> None:
        words: dict[str, list[str]] = {}
        for rule in rules:
            if rule.word:
                words.setdefault(rule.value, []).append(rule.word)
        super().__init__(
            supported_entity="SECRET",
            patterns=[_after_word(names, value) for value, names in words.items()],
            global_regex_flags=0,
            name="VendorKeysInContext",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse dummies and words: these keys mix letters and digits."""
        if not any(map(str.isdigit, pattern_text)) or not any(map(str.isalpha, pattern_text)):
            return True
        return entropy(pattern_text) < _LEAST_ENTROPY or reads_like_words(pattern_text)


def _with_edges(value: str) -> str:
    start = "" if value.startswith(("(?<=", "(?i:[\"'")) else _START
    end = _TAIL if _MARKED.match(value) else _END
    last = value.rindex("[") if "[" in value else 0
    trimmed = r"(?<!\.)" if "." in value[last : value.find("]", last)] else ""
    grouped = f"(?:{value})" if "|" in value and start else value
    return f"{start}{grouped}{end}{trimmed}"


def _after_word(words: Sequence[str], value: str) -> ScoredPattern:
    names = "|".join(dict.fromkeys(words))
    grouped = f"(?:{value})" if "|" in value else value
    last = value[value.rindex("[") : value.rindex("]")]
    edge = "[A-Za-z0-9" + "".join(mark for mark in "_=" if mark in last)
    edge += r"\-]" if r"\-" in last else "]"
    expression = rf"(?<=(?i:{names}){_ASSIGNED}){grouped}(?!{edge})"
    return ScoredPattern(f"after {names}", expression, 0.9)
