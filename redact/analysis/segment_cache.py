"""Caches results by the keyed hash of a text, in bounded memory.

Every later call of a conversation repeats its history, so most segments of real traffic are
repeats. Without the secret the hash reveals nothing, and texts are not used as keys.
"""

import hashlib
from functools import lru_cache
from typing import Generic, TypeVar

V = TypeVar("V")

_KEY_BYTES = 16


class SegmentCache(Generic[V]):
    """A cache of two generations: when the young one is full, the old one is dropped.

    ``capacity`` bounds the sum of the weights in both; ``hits`` and ``misses`` count look-ups.
    """

    def __init__(self, capacity: int) -> None:
        self._half = capacity // 2
        self.young: dict[bytes, tuple[V, int]] = {}
        self.old: dict[bytes, tuple[V, int]] = {}
        self._weight = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: bytes) -> V | None:
        """Return the value stored under ``key``, if it is still cached."""
        entry = self.young.get(key)
        if entry is None:
            entry = self.old.get(key)
            if entry is None:
                self.misses += 1
                return None
            self._insert(key, entry)
        self.hits += 1
        return entry[0]

    def store(self, key: bytes, value: V, weight: int) -> None:
        """Store ``value``; ``weight`` is its approximate size in bytes, or by how much it grew."""
        cached = self.young.get(key)
        if cached is None:
            self._insert(key, (value, weight))
        else:
            self._weight += weight
            self.young[key] = (value, cached[1] + weight)

    def _insert(self, key: bytes, entry: tuple[V, int]) -> None:
        if self._weight > self._half:
            self.old, self.young, self._weight = self.young, {}, 0
        self.young[key] = entry
        self._weight += entry[1]

    def __len__(self) -> int:
        return len(self.young) + len(self.old)


def segment_key(secret: bytes, text: str, context: bytes = b"") -> bytes:
    """Return the 16-byte keyed BLAKE2b of a text; ``context`` (at most 16 bytes) separates uses."""
    hasher = _keyed_hash(secret, context).copy()
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return hasher.digest()


@lru_cache(maxsize=64)
def _keyed_hash(secret: bytes, context: bytes) -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=_KEY_BYTES, key=secret, person=context)
