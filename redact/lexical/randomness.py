"""Checks whether a value is random, like a generated secret, or made of words."""

import math
import re
from collections import Counter

_WORD = re.compile(r"[A-Za-z]?[a-z]{0,14}[0-9]{0,4}|[A-Z]{1,14}[0-9]{0,3}")
_PIECES = re.compile(r"[^A-Za-z0-9]+")


def entropy(value: str) -> float:
    """Return the Shannon entropy of the characters of ``value``, in bits per character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def looks_secret(value: str) -> bool:
    """Return whether a value looks generated to be hard to guess, not like a word of a sentence."""
    value = value.rstrip(".,!?)")
    classes = (
        any(c.islower() for c in value)
        + any(c.isupper() for c in value[1:])
        + any(c.isdigit() for c in value)
        + any(not c.isalnum() for c in value)
    )
    if len(value) < 6 or (value.isalpha() and len(value) < 20):
        return False
    return classes >= 3 or (classes >= 2 and len(value) >= 8 and entropy(value) >= 2.75)


def reads_like_words(value: str) -> bool:
    """Return whether a value is words and small numbers between signs, like program names."""
    return all(_WORD.fullmatch(piece) for piece in _PIECES.split(value))
