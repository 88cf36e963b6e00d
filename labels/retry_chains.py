"""Calls that were made again: the same session, as many input tokens, soon afterwards.

A conversation grows with every turn, so the next call of a session with exactly as many input
tokens is the same call again. That needs no text, so the join can keep it in twelve bytes a trace;
traces without a session or a token count are never retries. Only within one partition: a batch job
over the lake sees the rest.
"""

import numpy as np
import numpy.typing as npt

from labels.batches import DigestArray, IntArray, mix_bits
from labels.digests import DigestPairs
from labels.growable_columns import GrowableColumns
from labels.hash_index import NO_ROW, HashIndex, RowNumbers

_WALK = 64
"""So many calls of one key are looked at, newest first: a health check that sends the same prompt
all day in one session must not cost a day's work for each. A batch job looks at all of them."""


def retry_keys(session: DigestArray, tokens: IntArray) -> DigestArray:
    """Return what the same call has in common, 0 where that cannot be told."""
    keys = mix_bits(mix_bits(session) + tokens.astype(np.uint64)) | np.uint64(1)
    told = (session != 0) & (tokens >= 0)
    return np.where(told, keys, np.uint64(0))


class RetryChains:
    """Traces by retry key: an index to one of them, and a chain to the others."""

    def __init__(self, within: int) -> None:
        """``within``: how soon a call must be made again, in microseconds."""
        self._within = within
        self._rows = GrowableColumns({"key": (np.uint64, 1), "next": (np.int32, 1)})
        self._index = HashIndex()

    @property
    def nbytes(self) -> int:
        """Return the bytes it takes."""
        return self._rows.nbytes + self._index.nbytes

    def append(self, count: int) -> None:
        """Make room for rows; they are in no chain yet."""
        where = self._rows.append(count)
        self._rows["key"][where] = 0
        self._rows["next"][where] = NO_ROW

    def add(self, rows: RowNumbers, keys: DigestArray, started: IntArray) -> list[tuple[int, int]]:
        """Chain rows that are not yet; return the retries found: (row, row that repeats it).

        ``started`` holds the start of every row there is, by row number.
        """
        told = (keys != 0) & (self._rows["key"][rows] == 0)
        self._rows["key"][rows] = keys
        rows, keys = rows[told], keys[told]
        store = self._store()
        roots = self._index.find(keys[:, None], store)
        new = np.flatnonzero(roots == NO_ROW)
        _, first = np.unique(keys[new], return_index=True)
        self._index.add(rows[new[first]], store)
        roots = self._index.find(keys[:, None], store)
        rest = roots != rows
        pairs: list[tuple[int, int]] = []
        for row, root in zip(rows[rest].tolist(), roots[rest].tolist(), strict=True):
            pairs += self._meet(row, root, started)
            self._rows["next"][row] = self._rows["next"][root]
            self._rows["next"][root] = row
        return pairs

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep the rows of the mask only, and chain them anew."""
        self._rows.keep(mask)
        self.chain()

    def chain(self) -> None:
        """Make all chains anew."""
        keys, following = self._rows["key"], self._rows["next"]
        following[:] = NO_ROW
        order = np.argsort(keys, kind="stable")
        order = order[keys[order] != 0].astype(np.int32)
        same = keys[order[1:]] == keys[order[:-1]]
        following[order[:-1][same]] = order[1:][same]
        roots = order[np.concatenate([np.ones(min(len(order), 1), bool), ~same])]
        self._index.rebuild(roots, self._store())

    def all_retried(self, started: IntArray) -> RowNumbers:
        """Return every row that another one repeats, however many there are of one key."""
        keys = self._rows["key"]
        rows = np.flatnonzero(keys != 0)
        rows = rows[np.lexsort((started[rows], keys[rows]))]
        key, start = keys[rows], started[rows]
        another = np.ones(len(rows), bool)
        another[1:] = (key[1:] != key[:-1]) | (start[1:] != start[:-1])
        firsts = np.flatnonzero(another)  # of calls that began at once, one stands for all
        again = np.zeros(len(firsts), bool)
        again[:-1] = (key[firsts[1:]] == key[firsts[:-1]]) & (
            start[firsts[1:]] - start[firsts[:-1]] <= self._within
        )
        retried: RowNumbers = rows[again[np.cumsum(another) - 1]].astype(np.int32)
        return retried

    def _meet(self, row: int, root: int, started: IntArray) -> list[tuple[int, int]]:
        following = self._rows["next"]
        own, other, pairs = int(started[row]), root, []
        for _ in range(_WALK):
            gap = own - int(started[other])
            if 0 < gap <= self._within:
                pairs.append((other, row))
            elif 0 < -gap <= self._within:
                pairs.append((row, other))
            other = int(following[other])
            if other == NO_ROW:
                break
        return pairs

    def _store(self) -> DigestPairs:
        store: DigestPairs = self._rows["key"][:, None]
        return store
