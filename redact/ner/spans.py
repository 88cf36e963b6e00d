"""Converts a model's tag probabilities for words into the spans of names."""

from collections.abc import Sequence

import numpy as np

from redact.ner.reader import NamedSpan
from redact.ner.words import Floats, word_spans

_CODE = 3
"""A word of at most this many capitals, such as `JFK`, is a code, not a person."""


def names_of(text: str, chances: Floats, labels: Sequence[str], outside: float) -> list[NamedSpan]:
    """Return the names in a text, in order.

    ``chances`` has a row for each word; its columns are the tag of no name, then two for each
    label: the beginning of a name, and its middle. A word whose probability of being no name is
    below ``outside`` is in a name.
    """
    named = chances[:, 0] < outside
    if not named.any():
        return []
    begin, inside = chances[:, 1::2], chances[:, 2::2]
    begins = (begin.sum(axis=1) >= inside.sum(axis=1)).tolist()
    types = begin + inside
    where = word_spans(text)
    found: list[NamedSpan] = []
    rows = np.flatnonzero(named).tolist()
    start = 0
    for at, row in enumerate(rows):
        last = at + 1 == len(rows)
        if last or rows[at + 1] != row + 1 or begins[rows[at + 1]]:
            some = rows[start : at + 1]
            label = labels[int(types[some].sum(axis=0).argmax())]
            name = NamedSpan(label, where[some[0]][0], where[some[-1]][1])
            if not _is_code(text, name):
                found.append(name)
            start = at + 1
    return found


def _is_code(text: str, name: NamedSpan) -> bool:
    short = name.end - name.start <= _CODE
    return short and name.label == "PERSON" and text[name.start : name.end].isupper()
