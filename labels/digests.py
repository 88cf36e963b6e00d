"""Keyed digests of ids, for the join's keys, the audit draw and sets of ids.

BLAKE2b (RFC 7693) with the policy's audit seed as key, 16 bytes. The first 8 bytes find the trace
in the join, all 16 distinguish it from others, and the last 8 are its place in the audit draw. The
draw depends on the trace id and the seed alone, so every worker and every batch job draws the same
traces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

DigestArray = npt.NDArray[np.uint64]
DigestPairs = npt.NDArray[np.uint64]
"""Whole digests, as pairs of 64-bit numbers (shape n x 2)."""

_SCALE = 2.0**-53


def digest_id(text: str, seed: str) -> bytes:
    """Return the 16-byte digest of an id under a seed."""
    return blake2b(_bytes(text), digest_size=16, key=_bytes(seed)).digest()


def digest_ids(texts: Iterable[str], seed: str) -> DigestPairs:
    """Return the digests of many ids."""
    key = _bytes(seed)
    joined = b"".join([blake2b(_bytes(t), digest_size=16, key=key).digest() for t in texts])
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64, copy=False).reshape(-1, 2)


def audit_draw(digest: bytes) -> float:
    """Return a trace's place in the audit draw: uniform over [0, 1), 53 bits."""
    return (int.from_bytes(digest[8:], "little") >> 11) * _SCALE


def audit_draws(digests: DigestPairs) -> npt.NDArray[np.float64]:
    """Return ``audit_draw`` for many digests."""
    drawn: npt.NDArray[np.float64] = (digests[:, 1] >> np.uint64(11)).astype(np.float64) * _SCALE
    return drawn


def is_drawn_for_audit(trace_id: str, seed: str, rate: float) -> bool:
    """Return whether the audit draws a trace: true for a share ``rate`` of all trace ids."""
    return rate > 0 and audit_draw(digest_id(trace_id, seed)) < rate


@dataclass(frozen=True, slots=True)
class DigestSet:
    """A set of ids at eight bytes each, which reveals none of them and tests many at once.

    An id is stored as the first 64 bits of its digest. ``digests`` are in ascending order, each
    once; ``seed`` is their key. When a million ids are tested against a hundred million, the
    probability of a false positive is 5e-6; a user must tolerate one.
    """

    seed: str
    digests: DigestArray

    @classmethod
    def of(cls, texts: Sequence[str], seed: str) -> "DigestSet":
        """Return the set of these ids."""
        return cls(seed, np.unique(digest_ids(texts, seed)[:, 0]))

    @classmethod
    def from_bytes(cls, data: bytes, seed: str) -> "DigestSet":
        """Return the set that ``to_bytes`` wrote; ValueError if ``data`` is not one."""
        return cls(seed, np.frombuffer(data, "<u8").astype(np.uint64))

    def to_bytes(self) -> bytes:
        """Return the digests, eight bytes each, without the seed."""
        return self.digests.astype("<u8").tobytes()

    def __len__(self) -> int:
        return len(self.digests)

    @classmethod
    def union(cls, sets: Iterable["DigestSet"], seed: str) -> "DigestSet":
        """Return the union of several sets, all of this seed."""
        arrays = [np.zeros(0, np.uint64), *(each.digests for each in sets)]
        return cls(seed, np.unique(np.concatenate(arrays)))

    def __or__(self, other: "DigestSet") -> "DigestSet":
        return DigestSet.union([self, other], self.seed)

    def mask(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each id whether it is in the set."""
        if not len(self.digests) or not len(texts):
            return np.zeros(len(texts), np.bool_)
        digests = digest_ids(texts, self.seed)[:, 0]
        at = np.minimum(np.searchsorted(self.digests, digests), len(self.digests) - 1)
        return np.equal(self.digests[at], digests)

    def __contains__(self, text: str) -> bool:
        return bool(self.mask([text])[0])


def _bytes(text: str) -> bytes:
    # An id that is not valid Unicode cannot come from a table, but it must not stop anything.
    return text.encode("utf-8", "surrogatepass")
