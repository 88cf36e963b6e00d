"""JSON that is nested deeper than Python can follow, as damage or malice, is like any bad file."""

from collections.abc import Callable

import pytest

from batch.erase.receipt import read_receipt
from batch.release.format.erasure_note import read_erasure_note
from batch.release.format.manifest import read_manifest
from decode.contract_check import check_avro_schema
from schemas.errors import FatalError, UsageError
from schemas.record_batches import RecordKind

DEEP = b"[" * 100_000
READERS: list[tuple[Callable[[], object], type[Exception]]] = [
    (lambda: read_receipt(DEEP, "a file"), UsageError),
    (lambda: read_manifest(DEEP), FatalError),
    (lambda: read_erasure_note(DEEP), ValueError),
    (lambda: check_avro_schema(RecordKind.TRACE, DEEP), UsageError),
]


@pytest.mark.parametrize(("read", "error"), READERS)
def test_it_is_refused_by_the_readers_own_error(
    read: Callable[[], object], error: type[Exception]
) -> None:
    """Not by one that nobody foresaw."""
    with pytest.raises(error):
        read()
