"""Converts a model's tag probabilities for words into the spans of names."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from redact.ner.exact import Floats, Wholes
from redact.ner.reader import NamedSpan
from redact.ner.words import word_spans

_CODE: Final = 3
"""A word of at most this many capitals, such as `JFK`, is a code, not a person."""


def names_of(
    texts: Sequence[str],
    text_rows: Sequence[slice],
    chances: Floats | Wholes,
    labels: Sequence[str],
    outside: float,
) -> list[list[NamedSpan]]:
    """Return the names in each text, in order.

    ``chances`` has rows for the words of each text (``text_rows``), and at least one of another
    kind between the texts. Its columns are the tag of no name, then two for each label: the
    beginning of a name, and its middle. A word whose probability of being no name is below
    ``outside`` is in a name.
    """
    found: list[list[NamedSpan]] = [[] for _ in texts]
    rows = np.flatnonzero(chances[:, 0] < outside)
    if not len(rows):
        return found
    begin, inside = chances[rows, 1::2], chances[rows, 2::2]
    starts = begin.sum(axis=1) >= inside.sum(axis=1)
    starts[0] = True
    starts[1:] |= rows[1:] != rows[:-1] + 1
    firsts = np.flatnonzero(starts)
    sums = np.add.reduceat(begin + inside, firsts, axis=0, dtype=np.float64)
    kinds = sums.argmax(axis=1).tolist()
    first_rows = rows[firsts].tolist()
    last_rows = rows[np.append(firsts[1:], len(rows)) - 1].tolist()
    owner, where = -1, word_spans("")
    for kind, first, last in zip(kinds, first_rows, last_rows, strict=True):
        while owner < 0 or first >= text_rows[owner].stop:
            owner += 1
            where = []
        if not where:
            where = word_spans(texts[owner])
        offset = text_rows[owner].start
        name = NamedSpan(labels[kind], where[first - offset][0], where[last - offset][1])
        if not _is_code(texts[owner], name):
            found[owner].append(name)
    return found


def _is_code(text: str, name: NamedSpan) -> bool:
    short = name.end - name.start <= _CODE
    return short and name.label == "PERSON" and text[name.start : name.end].isupper()
