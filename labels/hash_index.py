"""A hash index in one array: finds row numbers for many keys at once, by linear probing.

A slot holds a row number; the keys themselves stay in the caller's table. A Python dict would take
about ten times the memory. Keys must be uniformly distributed (digests): their first 64 bits choose
the slot. Knuth, The Art of Computer Programming, volume 3, 6.4 (algorithm L).
"""

import numpy as np
import numpy.typing as npt

from labels.digests import DigestPairs

RowNumbers = npt.NDArray[np.int32]

NO_ROW = -1
_MIN_SLOTS = 1024
_MAX_LOAD = 0.7


class HashIndex:
    """Row numbers by key. ``store`` is the table of keys, one row per row number (n x k)."""

    def __init__(self) -> None:
        self._slots: RowNumbers = np.full(_MIN_SLOTS, NO_ROW, np.int32)
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory in use."""
        return self._slots.nbytes

    def find(self, keys: DigestPairs, store: DigestPairs) -> RowNumbers:
        """Return the row of each key, ``NO_ROW`` where there is none."""
        result: RowNumbers = np.full(len(keys), NO_ROW, np.int32)
        at = self._start(keys)
        unresolved = np.arange(len(keys))
        while unresolved.size:
            rows = self._slots[at[unresolved]]
            occupied = rows != NO_ROW
            unresolved, rows = unresolved[occupied], rows[occupied]
            same = (store[rows] == keys[unresolved]).all(axis=1)
            result[unresolved[same]] = rows[same]
            unresolved = unresolved[~same]
            at[unresolved] = (at[unresolved] + 1) & (len(self._slots) - 1)
        return result

    def add(self, rows: RowNumbers, store: DigestPairs) -> None:
        """Add rows whose keys are not in the index; each key once."""
        if self._count + len(rows) > _MAX_LOAD * len(self._slots):
            indexed = self._slots[self._slots != NO_ROW]
            self._slots = _slots_for(self._count + len(rows))
            self._place(indexed, store)
        self._place(rows, store)
        self._count += len(rows)

    def rebuild(self, rows: RowNumbers, store: DigestPairs) -> None:
        """Replace the contents by these rows."""
        self._slots = _slots_for(len(rows))
        self._place(rows, store)
        self._count = len(rows)

    def _place(self, rows: RowNumbers, store: DigestPairs) -> None:
        at = self._start(store[rows])
        while rows.size:
            free = self._slots[at] == NO_ROW
            self._slots[at[free]] = rows[free]  # the last of several rows for one slot wins
            lost = self._slots[at] != rows
            rows, at = rows[lost], (at[lost] + 1) & (len(self._slots) - 1)

    def _start(self, keys: DigestPairs) -> npt.NDArray[np.int64]:
        mask = np.uint64(len(self._slots) - 1)
        return (keys[:, 0] & mask).astype(np.int64)


def _slots_for(count: int) -> RowNumbers:
    size = _MIN_SLOTS
    while count > _MAX_LOAD * size:
        size *= 2
    return np.full(size, NO_ROW, np.int32)
