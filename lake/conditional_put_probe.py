"""Probes whether a store refuses to overwrite a file, which commits rely on.

A server that ignores ``If-None-Match`` would let two commits take the same version of a log, and
one of them would be silently lost. So the probe sends one request that it must refuse.
"""

from typing import Final

from lake.objects import ObjectStore
from schemas.errors import FatalError

PROBE_FILE: Final = ".conditional-put"
"""The probe's file, at the root of a lake. It is never removed, since workers may not delete."""

_CONTENT: Final = b"goldpan writes this file once, and then tries to write over it, in vain\n"
_OVERWRITTEN: Final = b"this store wrote over a file that it was asked to leave alone\n"


def probe_conditional_put(files: ObjectStore) -> None:
    """Raise FatalError if ``files`` overwrites an existing file; otherwise as `ObjectStore`."""
    content = files.find(PROBE_FILE)
    if content is None:
        content = _CONTENT
        files.put_new(PROBE_FILE, content)
    if files.put_new(PROBE_FILE, content + _OVERWRITTEN):
        raise FatalError(
            "the object store at GOLDPAN_LAKE__URI ignores If-None-Match and overwrote an existing "
            "object: two workers could overwrite each other's commits. Use AWS S3, MinIO, "
            "versitygw, or another server that honours this condition"
        )
