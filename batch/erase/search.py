"""Which rows of a table hold one of some texts, anywhere in their columns.

Two kinds of text are looked for. Pseudonyms and placeholders are unlike anything else, and are
found wherever they stand. Raw ids are found where no letter or digit touches them: ``u-10`` is not
found in ``u-101``.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SHORTEST_WORD: Final = 6
"""Ids that are shorter may be ordinary words: they are looked for in columns of ids only."""

Flags = npt.NDArray[np.bool_]
_TOGETHER: Final = 200  # texts in one expression: more would make it slow
_EDGE: Final = "[^A-Za-z0-9]"


@dataclass(frozen=True, slots=True)
class Texts:
    """Compiled expressions; empty if there is nothing to look for."""

    expressions: tuple[str, ...]

    @classmethod
    def of(cls, anywhere: Collection[str], words: Collection[str]) -> "Texts":
        """Take texts that are found wherever they stand, and ids."""
        return cls((*_any_of(anywhere, "{}"), *_any_of(words, _whole("{}"))))

    def in_rows(self, rows: pa.Table, columns: Sequence[str]) -> Flags:
        """Return for each row whether one of these columns holds one of the texts."""
        found = np.zeros(len(rows), np.bool_)
        for column in columns:
            start = 0
            for chunk in rows[column].chunks:
                found[start : start + len(chunk)] |= self._in(chunk)
                start += len(chunk)
        return found

    def _in(self, array: Any) -> Flags:
        kind = array.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._in_texts(array)
        if pa.types.is_struct(kind):
            found = np.zeros(len(array), np.bool_)
            for child in array.flatten():
                found |= self._in(child)
            return found
        if pa.types.is_map(kind):
            return _by_row(array, self._in(array.keys) | self._in(array.items))
        if pa.types.is_list(kind):
            return _by_row(array, self._in(array.values))
        return np.zeros(len(array), np.bool_)

    def _in_texts(self, array: Any) -> Flags:
        found = np.zeros(len(array), np.bool_)
        if array.null_count < len(array):
            for expression in self.expressions:
                hits = pc.fill_null(pc.match_substring_regex(array, expression), fill_value=False)
                found |= np.asarray(hits)
        return found


def _any_of(texts: Collection[str], frame: str) -> Iterator[str]:
    listed = sorted(texts)
    for start in range(0, len(listed), _TOGETHER):
        some = listed[start : start + _TOGETHER]
        yield frame.format("(?:" + "|".join(map(re.escape, some)) + ")")


def _whole(text: str) -> str:
    return f"(?:^|{_EDGE}){text}(?:$|{_EDGE})"


def _by_row(lists: Any, inner: Flags) -> Flags:
    """Return for each list whether one of its elements is flagged."""
    counts = np.concatenate([[0], np.cumsum(inner)])
    at = np.asarray(lists.offsets)
    found: Flags = counts[at[1:]] > counts[at[:-1]]
    return found
