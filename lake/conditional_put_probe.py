"""Whether a store refuses to write over a file where it is asked to: what commits rest on.

A server that passes ``If-None-Match`` over would let two commits take the same place in a log, and
one of them would be gone without a word. So it is asked once for something it must refuse.
"""

from typing import Final

from lake.objects import ObjectStore
from schemas.errors import FatalError

PROBE_FILE: Final = ".conditional-put"
"""The file that is asked about, at the root of a lake. It stays: workers may not delete."""

_FIRST: Final = b"goldpan writes this file once, and then tries to write over it, in vain\n"
_MORE: Final = b"this store wrote over a file that it was asked to leave alone\n"


def probe_conditional_put(files: ObjectStore) -> None:
    """Raise FatalError if ``files`` writes over what is there; otherwise as `ObjectStore`."""
    there = files.find(PROBE_FILE)
    if there is None:
        there = _FIRST
        files.put_new(PROBE_FILE, there)
    if files.put_new(PROBE_FILE, there + _MORE):
        raise FatalError(
            "the server of GOLDPAN_LAKE__URI writes over a file although it was asked not to "
            "(If-None-Match: *): two workers could overwrite each other's commits; use AWS S3, "
            "MinIO, versitygw, or another server that keeps to this condition"
        )
