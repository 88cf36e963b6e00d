"""A text with the names in it marked, and the changes of spelling that keep the marks right."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

# Letters whose plain form is not their Unicode decomposition.
_PLAIN = str.maketrans("łŁøØđĐıŧŦ", "lLoOdDitT")


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters `start` up to `end` of a text are of one entity type."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, its marks in order, and the stretches (start, end) whose label is not known.

    What is neither marked nor unknown is known to be no name.
    """

    text: str
    marks: tuple[Mark, ...]
    unknown: tuple[tuple[int, int], ...] = ()


def join(parts: Sequence[Labelled], separators: Sequence[str]) -> Labelled:
    """One text of several; `separators` has one entry less than `parts`."""
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
    """The text as people type it: sometimes without capitals, all in capitals, or without accents.

    `lower`, `upper` and `plain` are the chances of each. Every change keeps the length, so the
    marks stay where they are.
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
    """Character by character, leaving alone what would change the length (as the capital of ß)."""
    changed = (change(character) for character in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, changed, strict=True))
