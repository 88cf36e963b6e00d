"""Finds repeated calls: same session and input tokens, soon after one another.

A conversation grows with every turn, so the next call of a session with exactly as many input
tokens is the same call repeated. That needs no text, so the join stores it in twelve bytes per
trace.
Traces without a session or a token count are never retries. The worker's join sees only one
partition; a batch job over the lake finds the other retries.
"""

import numpy as np
import numpy.typing as npt

from labels.digests import DigestArray, DigestPairs
from labels.growable_columns import GrowableColumns
from labels.hash_index import NO_ROW, HashIndex, RowNumbers
from labels.join_rows import IntArray, mix_bits

_MAX_COMPARED = 64
"""The number of calls of one key that are compared, newest first.

A health check may send the same prompt all day in one session; comparing each call with all others
would cost too much. A batch job compares all of them.
"""


def retry_keys(session: DigestArray, tokens: IntArray) -> DigestArray:
    """Return a key that repeated calls have in common, 0 where it cannot be determined."""
    keys = mix_bits(mix_bits(session) + tokens.astype(np.uint64)) | np.uint64(1)
    determined = (session != 0) & (tokens >= 0)
    return np.where(determined, keys, np.uint64(0))


class RetryChains:
    """Traces by retry key: an index to one of them, chained to the others."""

    def __init__(self, max_gap: int) -> None:
        """``max_gap``: how soon a call must be repeated, in microseconds."""
        self._max_gap = max_gap
        self._rows = GrowableColumns({"key": (np.uint64, 1), "next": (np.int32, 1)})
        self._index = HashIndex()

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory in use."""
        return self._rows.nbytes + self._index.nbytes

    def append(self, count: int) -> None:
        """Make room for rows, which are in no chain yet."""
        where = self._rows.append(count)
        self._rows["key"][where] = 0
        self._rows["next"][where] = NO_ROW

    def add(self, rows: RowNumbers, keys: DigestArray, started: IntArray) -> list[tuple[int, int]]:
        """Chain rows that are in no chain yet; return the retries: (row, row that repeats it).

        ``started`` holds the start of every row, by row number.
        """
        unchained = (keys != 0) & (self._rows["key"][rows] == 0)
        self._rows["key"][rows] = keys
        rows, keys = rows[unchained], keys[unchained]
        store = self._store()
        roots = self._index.find(keys[:, None], store)
        new = np.flatnonzero(roots == NO_ROW)
        _, first = np.unique(keys[new], return_index=True)
        self._index.add(rows[new[first]], store)
        roots = self._index.find(keys[:, None], store)
        chained = roots != rows
        pairs: list[tuple[int, int]] = []
        for row, root in zip(rows[chained].tolist(), roots[chained].tolist(), strict=True):
            pairs += self._retries_in_chain(row, root, started)
            self._rows["next"][row] = self._rows["next"][root]
            self._rows["next"][root] = row
        return pairs

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep only the rows in the mask, and rebuild the chains."""
        self._rows.keep(mask)
        self.rebuild()

    def rebuild(self) -> None:
        """Rebuild all chains."""
        keys, following = self._rows["key"], self._rows["next"]
        following[:] = NO_ROW
        order = np.argsort(keys, kind="stable")
        order = order[keys[order] != 0].astype(np.int32)
        same = keys[order[1:]] == keys[order[:-1]]
        following[order[:-1][same]] = order[1:][same]
        roots = order[np.concatenate([np.ones(min(len(order), 1), bool), ~same])]
        self._index.rebuild(roots, self._store())

    def all_retried(self, started: IntArray) -> RowNumbers:
        """Return every row that another row repeats, without a limit per key."""
        keys = self._rows["key"]
        rows = np.flatnonzero(keys != 0)
        rows = rows[np.lexsort((started[rows], keys[rows]))]
        key, start = keys[rows], started[rows]
        is_first = np.ones(len(rows), bool)
        is_first[1:] = (key[1:] != key[:-1]) | (start[1:] != start[:-1])
        firsts = np.flatnonzero(is_first)  # one represents all calls that began at the same time
        repeated = np.zeros(len(firsts), bool)
        repeated[:-1] = (key[firsts[1:]] == key[firsts[:-1]]) & (
            start[firsts[1:]] - start[firsts[:-1]] <= self._max_gap
        )
        retried: RowNumbers = rows[repeated[np.cumsum(is_first) - 1]].astype(np.int32)
        return retried

    def _retries_in_chain(self, row: int, root: int, started: IntArray) -> list[tuple[int, int]]:
        following = self._rows["next"]
        own, other, pairs = int(started[row]), root, []
        for _ in range(_MAX_COMPARED):
            gap = own - int(started[other])
            if 0 < gap <= self._max_gap:
                pairs.append((other, row))
            elif 0 < -gap <= self._max_gap:
                pairs.append((row, other))
            other = int(following[other])
            if other == NO_ROW:
                break
        return pairs

    def _store(self) -> DigestPairs:
        store: DigestPairs = self._rows["key"][:, None]
        return store
