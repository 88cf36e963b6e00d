"""Finds rows by key, many at once: open addressing with linear probing, in one array of numbers.

A slot holds the number of a row; the keys themselves stay in the caller's table. A Python dict
would take about ten times the memory. Keys must be even already (digests): their first 64 bits are
the slot. Knuth, The Art of Computer Programming, volume 3, 6.4 (algorithm L).
"""

import numpy as np
import numpy.typing as npt

from labels.digests import DigestPairs

RowNumbers = npt.NDArray[np.int32]

NO_ROW = -1
_LEAST = 1024
_FULL = 0.7


class HashIndex:
    """Rows by key. ``store`` is the table of keys, one row for each row number (n x k)."""

    def __init__(self) -> None:
        self._slots: RowNumbers = np.full(_LEAST, NO_ROW, np.int32)
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Return the bytes it takes."""
        return self._slots.nbytes

    def find(self, keys: DigestPairs, store: DigestPairs) -> RowNumbers:
        """Return the row of each key, -1 where there is none."""
        found: RowNumbers = np.full(len(keys), NO_ROW, np.int32)
        at = self._start(keys)
        left = np.arange(len(keys))
        while left.size:
            rows = self._slots[at[left]]
            taken = rows != NO_ROW
            left, rows = left[taken], rows[taken]
            same = (store[rows] == keys[left]).all(axis=1)
            found[left[same]] = rows[same]
            left = left[~same]
            at[left] = (at[left] + 1) & (len(self._slots) - 1)
        return found

    def add(self, rows: RowNumbers, store: DigestPairs) -> None:
        """Add rows whose keys are not in the index yet, each key once."""
        if self._count + len(rows) > _FULL * len(self._slots):
            known = self._slots[self._slots != NO_ROW]
            self._slots = _slots_for(self._count + len(rows))
            self._place(known, store)
        self._place(rows, store)
        self._count += len(rows)

    def rebuild(self, rows: RowNumbers, store: DigestPairs) -> None:
        """Forget everything and hold these rows."""
        self._slots = _slots_for(len(rows))
        self._place(rows, store)
        self._count = len(rows)

    def _place(self, rows: RowNumbers, store: DigestPairs) -> None:
        at = self._start(store[rows])
        while rows.size:
            free = self._slots[at] == NO_ROW
            self._slots[at[free]] = rows[free]  # of several that want one slot, the last gets it
            lost = self._slots[at] != rows
            rows, at = rows[lost], (at[lost] + 1) & (len(self._slots) - 1)

    def _start(self, keys: DigestPairs) -> npt.NDArray[np.int64]:
        mask = np.uint64(len(self._slots) - 1)
        return (keys[:, 0] & mask).astype(np.int64)


def _slots_for(count: int) -> RowNumbers:
    size = _LEAST
    while count > _FULL * size:
        size *= 2
    return np.full(size, NO_ROW, np.int32)
