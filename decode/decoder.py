"""From the records of a topic, as Kafka gave them, to typed ones; what is none is set aside.

One bad record never stops the others: whatever a value holds, it becomes either a row or a
``RejectedRecord`` with a reason. Only a schema registry that does not answer is an error.
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
from schemas.records import Feedback, Trace

DecodedRecord: TypeAlias = Trace | Feedback


class Decoder:
    """Decodes the records of one kind.

    ``max_record_bytes`` is the length of the longest value that is looked at. The decoder keeps the
    schemas it has met; use one for the whole life of a worker. ``kind`` is that of its records.
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
        self._settle = NORMALIZERS[kind]

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[DecodedRecord], list[RejectedRecord]]:
        """Return the valid records of a topic and the rejected ones, each in the order they came.

        Raises ``RetryableError`` if the schema registry does not answer; then nothing was decoded,
        and the same messages may be given again.
        """
        records: list[DecodedRecord] = []
        schema_ids: list[str] = []
        kept: list[RawRecord] = []
        rejected: list[RejectedRecord] = []
        for raw in messages:
            answer = self._usual(raw.value) or self._read(raw.value)
            if isinstance(answer, Refusal):
                rejected.append(_rejected(topic, raw, answer))
            else:
                record, schema_id = answer
                records.append(record)
                schema_ids.append(schema_id)
                kept.append(raw)
        decoded = DecodedBatch(
            kind=self.kind,
            topic=topic,
            records=records,
            partitions=[raw.partition for raw in kept],
            offsets=[raw.offset for raw in kept],
            schema_ids=schema_ids,
            raws=kept,
        )
        return decoded, rejected

    def _usual(self, value: bytes | None) -> tuple[DecodedRecord, str] | None:
        """Return the record of a valid JSON object; None for all else, which is read with care.

        Nearly every record is one, and takes no more than one call of the typed decoder.
        """
        if not value or value[0] != OPENING_BRACE or len(value) > self._max_record_bytes:
            return None
        try:
            record = self._typed(value)
        except DECODE_ERRORS:
            return None
        return None if self._settle(record) else (record, self._json_schema)

    def _read(self, value: bytes | None) -> tuple[DecodedRecord, str] | Refusal:
        if not value:
            return _TOMBSTONE if value is None else _EMPTY
        if len(value) > self._max_record_bytes:
            return _too_large(self._max_record_bytes)
        answer = self._parse(value)
        if isinstance(answer, Refusal):
            return answer
        record, schema_id = answer
        breach = self._settle(record)
        if breach is not None:
            return Refusal(breach.reason, breach.detail, breach.field, schema_id)
        return answer

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
}
_TOMBSTONE: Final = Refusal(
    QuarantineReason.TOMBSTONE, "The value is null: a mark that the key is deleted, and no record."
)
_EMPTY: Final = Refusal(QuarantineReason.EMPTY, "The value has no bytes.")
