"""Builds quarantine rows: coordinates and reason of a rejected record, without its content.

The fingerprint is a keyed HMAC, so that the same record is recognised, but guesses of its content
cannot be verified without the key. The payload is stored only if a sealing key is set, sealed for
its coordinates (`redact.crypto.sealed_bytes`), so that it cannot be moved to another row.
"""

import hmac
from collections.abc import Sequence

import pyarrow as pa

from redact.crypto.keys import SealKey
from redact.crypto.sealed_bytes import CannotOpenError, open_bytes, seal_bytes
from schemas.arrow import TABLES
from schemas.errors import UsageError
from schemas.record_batches import RejectedRecord
from schemas.redacted import Redacted
from schemas.times import from_micros

_LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last one of a datetime


class Sealer:
    """Turns rejected records into rows of the table ``quarantine``, and opens sealed payloads."""

    def __init__(
        self, fingerprint_key: bytes, policy_hash: str, seal_key: SealKey | None = None
    ) -> None:
        self._fingerprint_key = fingerprint_key
        self._policy = policy_hash
        self._seal_key = seal_key

    def seal(
        self, rejected: Sequence[RejectedRecord], *, ingested_at: int
    ) -> Redacted[pa.RecordBatch]:
        """Return one row per record; ``ingested_at`` in microseconds since 1970 (UTC)."""
        rows = [self._row(record, ingested_at) for record in rejected]
        batch = pa.RecordBatch.from_pylist(rows, schema=TABLES["quarantine"].arrow)
        return Redacted(batch, self._policy)

    def open(  # noqa: PLR0913 - the coordinates, and the two columns of the payload
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        sealed_payload: bytes,
        sealed_key_id: str,
        item: int | None = None,
    ) -> bytes:
        """Return the original value of a record, or of one ``item`` of it.

        Raises:
            UsageError: the payload was sealed with another key, or for another record.
        """
        where = f"{topic}/{partition} offset {offset}"
        if self._seal_key is None:
            raise UsageError(
                f"The payload of {where} is sealed: set GOLDPAN_REDACT__SEAL_KEY to open it."
            )
        if sealed_key_id != self._seal_key.key_id:
            raise UsageError(
                f"The payload of {where} was sealed with the key {sealed_key_id}, and the key "
                f"{self._seal_key.key_id} is set."
            )
        place = _coordinates(topic, partition, offset, item)
        try:
            return open_bytes(self._seal_key.secret, sealed_payload, place)
        except CannotOpenError:
            raise UsageError(
                f"The payload of {where} cannot be opened: another key, or it was changed."
            ) from None

    def fingerprint(self, value: bytes) -> str:
        """Return the fingerprint of a value: 32 hex digits."""
        return fingerprint(self._fingerprint_key, value)

    def _row(self, rejected: RejectedRecord, ingested_at: int) -> dict[str, object]:
        raw = rejected.raw
        value = raw.value
        at = raw.timestamp_ms * 1000 if 0 <= raw.timestamp_ms <= _LAST_MS else None
        event = from_micros(ingested_at if at is None else at)
        sealed = self._encrypt(rejected)
        return {
            "reason": rejected.reason,
            "field": rejected.field,
            "detail": rejected.detail,
            "size_bytes": 0 if value is None else len(value),
            "record_timestamp": at,
            "fingerprint": None if value is None else self.fingerprint(value),
            "sealed_payload": sealed,
            "sealed_key_id": self._seal_key.key_id if sealed and self._seal_key else None,
            "_topic": rejected.topic,
            "_partition": raw.partition,
            "_offset": raw.offset,
            "_ingested_at": ingested_at,
            "_schema": rejected.schema_id,
            "_policy": self._policy,
            "_index": raw.item,
            "event_date": event.date(),
        }

    def _encrypt(self, rejected: RejectedRecord) -> bytes | None:
        """Return a value sealed; a record that is consumed again gives the same bytes."""
        value = rejected.raw.value
        if self._seal_key is None or value is None:
            return None
        raw = rejected.raw
        where = _coordinates(rejected.topic, raw.partition, raw.offset, raw.item)
        return seal_bytes(self._seal_key.secret, value, where)


def fingerprint(key: bytes, value: bytes) -> str:
    """Return the fingerprint of a value under a key: 32 hex digits."""
    return hmac.digest(key, value, "sha256")[:16].hex()


def _coordinates(topic: str, partition: int, offset: int, item: int | None) -> bytes:
    place = "" if item is None else f"/{item}"
    return f"{topic}/{partition}/{offset}{place}".encode()
