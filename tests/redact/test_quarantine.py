"""Quarantine holds the coordinates of a record, a keyed fingerprint, a sealed payload."""

from typing import Any

import pytest

from redact.crypto.keys import KEY_BYTES, SealKey
from redact.crypto.sealing import Sealer
from schemas.arrow import TABLES
from schemas.errors import UsageError
from schemas.record_batches import RawRecord, RejectedRecord
from tests.redact.kit import KEYS, NOW

VALUE = b'{"trace_id": "1", "response": "ann@example.com"'
KEY = SealKey("s1", b"s" * KEY_BYTES)


def rejected(
    value: bytes | None = VALUE, *, offset: int = 7, timestamp_ms: int = -1
) -> RejectedRecord:
    """Return a rejected record."""
    return RejectedRecord(
        "llm.traces", "not_json", "No JSON.", RawRecord(3, offset, timestamp_ms, b"k", value)
    )


def sealer(key: SealKey | None = KEY) -> Sealer:
    """Return a sealer with or without a key."""
    return Sealer(KEYS.fingerprint, "policy", key)


def test_without_a_key_nothing_of_the_record_is_kept() -> None:
    """Coordinates, length and a fingerprint are all there is."""
    batch = sealer(None).seal([rejected(), rejected(None, offset=8)], ingested_at=NOW).value
    assert batch.schema == TABLES["quarantine"].arrow
    first, second = batch.to_pylist()
    assert (first["_partition"], first["_offset"], first["size_bytes"]) == (3, 7, len(VALUE))
    assert first["sealed_payload"] is None
    assert b"ann" not in repr(batch.to_pydict()).encode()
    assert second["fingerprint"] is None


def test_a_sealed_payload_opens_for_its_own_row_only() -> None:
    """The payload comes back byte for byte, and not under other coordinates or keys."""
    row = sealer().seal([rejected()], ingested_at=NOW).value.to_pylist()[0]
    where: dict[str, Any] = {"topic": "llm.traces", "partition": 3, "offset": 7}
    sealed = {"sealed_payload": row["sealed_payload"], "sealed_key_id": row["sealed_key_id"]}
    assert sealer().open(**where, **sealed) == VALUE
    assert VALUE not in row["sealed_payload"]
    for other in (where | {"offset": 8}, where | {"topic": "other"}):
        with pytest.raises(UsageError, match="cannot be opened"):
            sealer().open(**other, **sealed)
    with pytest.raises(UsageError, match="was sealed with the key s1"):
        sealer(SealKey("s2", b"t" * KEY_BYTES)).open(**where, **sealed)


def test_sealing_twice_gives_the_same_row() -> None:
    """A record consumed again after a crash makes the same bytes."""
    one, two = (sealer().seal([rejected()], ingested_at=NOW).value for _ in range(2))
    assert one.equals(two)


def test_fingerprints_need_the_key() -> None:
    """Equal values have equal fingerprints under one key, others under another."""
    other = Sealer(b"f" * KEY_BYTES, "policy")
    assert sealer().fingerprint(VALUE) == sealer(None).fingerprint(VALUE)
    assert sealer().fingerprint(VALUE) != other.fingerprint(VALUE)


@pytest.mark.parametrize("timestamp_ms", [-1, 2**62, -5])
def test_impossible_timestamps_fall_back_to_ingestion(timestamp_ms: int) -> None:
    """A record with no usable time is stored under the day it came in."""
    batch = sealer().seal([rejected(timestamp_ms=timestamp_ms)], ingested_at=NOW).value
    row = batch.to_pylist()[0]
    assert row["record_timestamp"] is None
    assert str(row["event_date"]) == "2026-11-01"
