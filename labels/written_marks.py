"""What has been written of a trace already, in eight bytes, so that nothing is written twice.

The mark of a label event is its revision (the lower 20 bits: those that count evidence) above 44
bits of a hash of its id. Marks are compared between events of one policy and calibration only, so
two events of one trace with equal marks are one with a probability of all but 2**-44.
"""

from hashlib import blake2b
from typing import Final

NOT_WRITTEN: Final = 0
_HASH_BITS: Final = 44
_COUNTED: Final = 2**20


def written_mark(label_event_id: str, revision: int) -> int:
    """Return the mark of a label event, above 0 and below 2**64."""
    digest = blake2b(label_event_id.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return (revision % _COUNTED) << _HASH_BITS | int.from_bytes(digest, "big") >> 4 or 1


def is_unwritten(mark: int, told: int) -> bool:
    """Tell whether an event says more than what was told: it is another, and not outranked.

    State that was rebuilt may know less than what a label rests on (reviews; feedback from before
    the window): what it decides then would never be in force.
    """
    return told == NOT_WRITTEN or (mark != told and mark >> _HASH_BITS >= told >> _HASH_BITS)
