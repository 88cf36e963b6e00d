"""JSON that is nested deeper than Python can follow, as damage or malice, is like any bad file."""

from collections.abc import Callable

import pytest

from batch.erase.receipt import read as read_receipt
from batch.release.erased import read_note
from batch.release.manifest import read_manifest
from goldpan.contracts import check_avro
from schemas.errors import FatalError, UsageError
from schemas.provenance import RecordKind

DEEP = b"[" * 100_000
READERS: list[tuple[Callable[[], object], type[Exception]]] = [
    (lambda: read_receipt(DEEP, "a file"), UsageError),
    (lambda: read_manifest(DEEP), FatalError),
    (lambda: read_note(DEEP), ValueError),
    (lambda: check_avro(RecordKind.TRACE, DEEP), UsageError),
]


@pytest.mark.parametrize(("read", "error"), READERS)
def test_it_is_refused_by_the_readers_own_error(
    read: Callable[[], object], error: type[Exception]
) -> None:
    """Not by one that nobody foresaw."""
    with pytest.raises(error):
        read()
