"""Decodes the records of a topic into typed records, and rejects invalid ones with a reason.

An invalid record never stops the others: every value becomes either a row or a ``Rejected`` with a
reason. Only an unavailable schema registry is an error.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from decode.avro_reader import AvroReader
from decode.json_reader import DECODE_ERRORS, JsonReader
from decode.refusal import Refusal
from decode.schema_sources import SchemaSource
from decode.wire_format import OPENING_BRACE, WireFormat, detect_format
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind, RejectedRecord
from schemas.record_rules import NORMALIZERS
from schemas.records import Feedback, StoredSpan, Trace

DecodedRecord: TypeAlias = Trace | Feedback | StoredSpan


class Decoder:
    """Decodes records of one ``kind``.

    ``max_record_bytes`` is the length of the longest value that is decoded. The decoder caches the
    schemas it has prepared; use one decoder for the whole life of a worker.
    """

    def __init__(self, kind: RecordKind, schemas: SchemaSource, *, max_record_bytes: int) -> None:
        contract = CONTRACTS[kind]
        record_type = _RECORD_TYPES[kind]
        self.kind = kind
        self._max_record_bytes = max_record_bytes
        self._json = JsonReader(contract, record_type)
        self._typed = self._json.typed
        self._json_schema = contract.fingerprint
        self._avro = AvroReader(contract, record_type, schemas)
        self._check_rules = NORMALIZERS[kind]

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[DecodedRecord], list[RejectedRecord]]:
        """Return the valid records of a topic and the rejected ones, each in their original order.

        Raises ``RetryableError`` if the schema registry is unavailable. Nothing was decoded then,
        and the same messages may be passed again.
        """
        records: list[DecodedRecord] = []
        schema_ids: list[str] = []
        valid: list[RawRecord] = []
        rejected: list[RejectedRecord] = []
        for raw in messages:
            result = self._read_common(raw.value) or self._read(raw.value)
            if isinstance(result, Refusal):
                rejected.append(_rejected(topic, raw, result))
            else:
                record, schema_id = result
                records.append(record)
                schema_ids.append(schema_id)
                valid.append(raw)
        decoded = DecodedBatch(
            kind=self.kind,
            topic=topic,
            records=records,
            partitions=[raw.partition for raw in valid],
            offsets=[raw.offset for raw in valid],
            schema_ids=schema_ids,
            raws=valid,
        )
        return decoded, rejected

    def _read_common(self, value: bytes | None) -> tuple[DecodedRecord, str] | None:
        """Return the record of a valid JSON object; None for everything else, which `_read`
        handles.

        Nearly every record is valid JSON and needs only one call of the typed decoder.
        """
        if not value or value[0] != OPENING_BRACE or len(value) > self._max_record_bytes:
            return None
        try:
            record = self._typed(value)
        except DECODE_ERRORS:
            return None
        return None if self._check_rules(record) else (record, self._json_schema)

    def _read(self, value: bytes | None) -> tuple[DecodedRecord, str] | Refusal:
        if not value:
            return _TOMBSTONE if value is None else _EMPTY
        if len(value) > self._max_record_bytes:
            return _too_large(self._max_record_bytes)
        result = self._parse(value)
        if isinstance(result, Refusal):
            return result
        record, schema_id = result
        breach = self._check_rules(record)
        if breach is not None:
            return Refusal(breach.reason, breach.detail, breach.field, schema_id)
        return result

    def _parse(self, value: bytes) -> tuple[DecodedRecord, str] | Refusal:
        form = detect_format(value)
        if form is WireFormat.JSON:
            return self._json.read(value)
        if form is WireFormat.FRAMED_AVRO:
            return self._avro.read_framed(value)
        if form is WireFormat.SINGLE_OBJECT_AVRO:
            return self._avro.read_single_object(value)
        return form


def _rejected(topic: str, raw: RawRecord, refusal: Refusal) -> RejectedRecord:
    return RejectedRecord(
        topic=topic,
        reason=refusal.reason,
        detail=refusal.detail,
        raw=raw,
        field=refusal.field,
        schema_id=refusal.schema_id,
    )


def _too_large(limit: int) -> Refusal:
    return Refusal(
        QuarantineReason.TOO_LARGE, f"The value is longer than the {limit:,} bytes allowed."
    )


_RECORD_TYPES: Final[Mapping[RecordKind, type[DecodedRecord]]] = {
    RecordKind.TRACE: Trace,
    RecordKind.FEEDBACK: Feedback,
    RecordKind.SPAN: StoredSpan,
}
_TOMBSTONE: Final = Refusal(
    QuarantineReason.TOMBSTONE,
    "The value is null, which marks its key as deleted and is not a record.",
)
_EMPTY: Final = Refusal(QuarantineReason.EMPTY, "The value has no bytes.")
