"""Caches results by the keyed hash of a text, in bounded memory.

Every later call of a conversation repeats its history, so most segments of real traffic are
repeats. Without the secret the hash reveals nothing, and texts are not used as keys.
"""

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Generic, TypeVar

V = TypeVar("V")

_KEY_BYTES = 16


class SegmentCache(Generic[V]):
    """A cache that drops what has not been asked for the longest.

    ``capacity`` bounds the sum of the weights; ``hits`` and ``misses`` count look-ups.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.entries: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self.weight = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: bytes) -> V | None:
        """Return the value stored under ``key``, if it is still cached."""
        entry = self.entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.entries.move_to_end(key)
        self.hits += 1
        return entry[0]

    def store(self, key: bytes, value: V, weight: int) -> None:
        """Store ``value``; ``weight`` is its approximate size in bytes, or by how much it grew."""
        cached = self.entries.get(key)
        self.entries[key] = (value, weight if cached is None else cached[1] + weight)
        self.weight += weight
        while self.weight > self._capacity:
            _, dropped = self.entries.popitem(last=False)
            self.weight -= dropped[1]

    def __len__(self) -> int:
        return len(self.entries)


def segment_key(secret: bytes, text: str, context: bytes = b"") -> bytes:
    """Return the 16-byte keyed BLAKE2b of a text; ``context`` (at most 16 bytes) separates uses."""
    hasher = _keyed_hash(secret, context).copy()
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return hasher.digest()


@lru_cache(maxsize=64)
def _keyed_hash(secret: bytes, context: bytes) -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=_KEY_BYTES, key=secret, person=context)
