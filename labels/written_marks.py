"""Marks of written label events, eight bytes per trace, which prevent a second write.

The mark of a label event is its revision (the lower 20 bits, which count evidence) above 44 bits of
a hash of its id. Marks are compared between events of one policy and calibration only, so two
different events of one trace have equal marks with a probability of 2**-44.
"""

from hashlib import blake2b
from typing import Final

NOT_WRITTEN: Final = 0
_HASH_BITS: Final = 44
_EVIDENCE_REVISIONS: Final = 2**20


def written_mark(label_event_id: str, revision: int) -> int:
    """Return the mark of a label event, above 0 and below 2**64."""
    digest = blake2b(label_event_id.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return (revision % _EVIDENCE_REVISIONS) << _HASH_BITS | int.from_bytes(digest, "big") >> 4 or 1


def is_unwritten(mark: int, latest_mark: int) -> bool:
    """Return whether an event differs from the one written last, and is not outranked by it.

    Rebuilt state may know less than a written label rests on (reviews; feedback from before the
    window). What it then decides would never be in force.
    """
    return latest_mark == NOT_WRITTEN or (
        mark != latest_mark and mark >> _HASH_BITS >= latest_mark >> _HASH_BITS
    )
