"""Texts with their names marked, and changes of spelling that keep the marks valid."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

# Letters whose plain form is not their Unicode decomposition.
_PLAIN = str.maketrans("łŁøØđĐıŧŦ", "lLoOdDitT")


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters ``start`` up to ``end`` of a text are of one entity type."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, its marks in order, and the ranges (start, end) whose label is unknown.

    Text that is neither marked nor unknown is known to be no name.
    """

    text: str
    marks: tuple[Mark, ...]
    unknown: tuple[tuple[int, int], ...] = ()


def join(parts: Sequence[Labelled], separators: Sequence[str]) -> Labelled:
    """Return several texts as one; ``separators`` has one entry less than ``parts``."""
    text, marks, unknown = "", [], []
    for part, separator in zip(parts, [*separators, ""], strict=True):
        shift = len(text)
        marks += [Mark(m.start + shift, m.end + shift, m.label) for m in part.marks]
        unknown += [(start + shift, end + shift) for start, end in part.unknown]
        text += part.text + separator
    return Labelled(text, tuple(marks), tuple(unknown))


def respell(
    item: Labelled, random: Random, *, lower: float, upper: float, plain: float
) -> Labelled:
    """Return a text as people type it: sometimes in lower case, upper case, or without accents.

    ``lower``, ``upper`` and ``plain`` are the probabilities of each. Every change keeps the length,
    so the marks stay valid.
    """
    text, dice = item.text, random.random()
    if dice < lower:
        text = _each(text, str.lower)
    elif dice < lower + upper:
        text = _each(text, str.upper)
    if random.random() < plain:
        text = _each(text.translate(_PLAIN), lambda c: unicodedata.normalize("NFD", c)[0])
    return replace(item, text=text)


def _each(text: str, change: Callable[[str], str]) -> str:
    """Change each character, except where that changes the length (such as ß in capitals)."""
    changed = (change(character) for character in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, changed, strict=True))
