"""A set of ids, at eight bytes each, that can be asked for many at once and names none of them.

An id stands in it as the first 64 bits of its keyed digest (`labels.digests`). Of a million ids
against a hundred million one may be taken for another with a probability of 5e-6; whoever uses it
must not mind one too many.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from labels.batches import BoolArray, DigestArray
from labels.digests import digest_ids


@dataclass(frozen=True, slots=True)
class DigestSet:
    """Digests in ascending order, each once; ``seed`` is the key that they were made with."""

    seed: str
    keys: DigestArray

    @classmethod
    def of(cls, texts: Sequence[str], seed: str) -> "DigestSet":
        """Return the set of these texts."""
        return cls(seed, np.unique(digest_ids(texts, seed)[:, 0]))

    @classmethod
    def from_bytes(cls, data: bytes, seed: str) -> "DigestSet":
        """Return the set that ``to_bytes`` was asked of; ValueError if it is none."""
        return cls(seed, np.frombuffer(data, "<u8").astype(np.uint64))

    def to_bytes(self) -> bytes:
        """Return the digests, eight bytes each; the seed is not among them."""
        return self.keys.astype("<u8").tobytes()

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def joined(cls, parts: Iterable["DigestSet"], seed: str) -> "DigestSet":
        """Return what is in any of several sets, all of this seed."""
        keys = [np.zeros(0, np.uint64), *(part.keys for part in parts)]
        return cls(seed, np.unique(np.concatenate(keys)))

    def __or__(self, other: "DigestSet") -> "DigestSet":
        return DigestSet.joined([self, other], self.seed)

    def mask(self, texts: Sequence[str]) -> BoolArray:
        """Return for each text whether it is in the set."""
        if not len(self.keys) or not len(texts):
            return np.zeros(len(texts), np.bool_)
        keys = digest_ids(texts, self.seed)[:, 0]
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.equal(self.keys[at], keys)

    def __contains__(self, text: str) -> bool:
        return bool(self.mask([text])[0])
