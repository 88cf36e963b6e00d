"""Digests of trace ids: the key of the join, and the draw of the audit, from one keyed hash.

BLAKE2b (RFC 7693) with the policy's audit seed as key, 16 bytes: the first 8 find the trace in the
join, all 16 tell it from others, and the last 8 are its place in the draw. The draw depends on the
trace id and the seed alone, so every worker and every batch job draws the same traces.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

DigestPairs = npt.NDArray[np.uint64]

_SCALE = 2.0**-53


def digest_id(text: str, seed: str) -> bytes:
    """Return the 16 bytes that stand for a trace id under a seed."""
    return blake2b(_bytes(text), digest_size=16, key=_bytes(seed)).digest()


def digest_ids(texts: Iterable[str], seed: str) -> DigestPairs:
    """Return the identities of many texts, as pairs of 64-bit numbers (shape n x 2)."""
    key = _bytes(seed)
    joined = b"".join([blake2b(_bytes(t), digest_size=16, key=key).digest() for t in texts])
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64, copy=False).reshape(-1, 2)


def audit_draw(digest: bytes) -> float:
    """Return where a trace lies in the draw: even over [0, 1), 53 bits."""
    return (int.from_bytes(digest[8:], "little") >> 11) * _SCALE


def audit_draws(keys: DigestPairs) -> npt.NDArray[np.float64]:
    """Return ``audit_draw`` for many identities."""
    drawn: npt.NDArray[np.float64] = (keys[:, 1] >> np.uint64(11)).astype(np.float64) * _SCALE
    return drawn


def is_drawn_for_audit(trace_id: str, seed: str, rate: float) -> bool:
    """Tell whether the audit draws a trace: true for a share ``rate`` of all trace ids."""
    return rate > 0 and audit_draw(digest_id(trace_id, seed)) < rate


def _bytes(text: str) -> bytes:
    # An id that is no valid Unicode cannot come out of a table; it must not stop anything either.
    return text.encode("utf-8", "surrogatepass")
