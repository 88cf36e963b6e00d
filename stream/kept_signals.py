"""Decodes what quarantine keeps of topics of spans: records, single items, and rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from otel.kept_items import read_kept_item
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind, RejectedRecord
from schemas.records import StoredSpan
from stream.signal_decoder import SignalDecoder

_ROW: Final = msgspec.json.Decoder(StoredSpan)
_SCHEMA: Final = CONTRACTS[RecordKind.SPAN].fingerprint


@dataclass(frozen=True, slots=True)
class KeptSignalDecoder:
    """Decodes kept items as well as records as they came, each as it is kept.

    An item keeps its place in its record, although it is decoded alone.
    """

    signals: SignalDecoder

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Return the rows of what was kept, and what fails again."""
        batch, rejected = self.signals.decode(topic, [])
        batches = [batch]
        for raw in messages:
            decoded, again = self._decode(topic, raw)
            batches.append(decoded)
            rejected += again
        return _concat(batches), rejected

    def _decode(self, topic: str, raw: RawRecord) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        kept = None if raw.value is None else read_kept_item(raw.value)
        if kept is None:
            return self.signals.decode(topic, [raw])
        if kept.form == "row":
            return self._decode_row(topic, raw, kept.value)
        sent = raw._replace(value=kept.value, headers=kept.headers, item=None)
        decoded, rejected = self.signals.decode(topic, [sent])
        if raw.item is None:
            return decoded, rejected
        place = raw.item
        return (
            replace(
                decoded,
                indexes=[place] * len(decoded),
                raws=[each._replace(item=place) for each in decoded.raws],
                dropped=[each._replace(item=place) for each in decoded.dropped],
            ),
            [replace(each, raw=raw) for each in rejected],
        )

    def _decode_row(
        self, topic: str, raw: RawRecord, value: bytes
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        empty, _ = self.signals.decode(topic, [])
        try:
            record = _ROW.decode(value)
        except msgspec.DecodeError:
            reason, detail = QuarantineReason.OUT_OF_RANGE, "A value is outside what a row allows."
            return empty, [RejectedRecord(topic, reason, detail, raw, schema_id=_SCHEMA)]
        return (
            replace(
                empty,
                records=[record],
                partitions=[raw.partition],
                offsets=[raw.offset],
                schema_ids=[_SCHEMA],
                raws=[raw],
                indexes=[raw.item or 0],
                groups=[record.trace_id],
            ),
            [],
        )


def _concat(batches: Sequence[DecodedBatch[Any]]) -> DecodedBatch[Any]:
    first = batches[0]
    return DecodedBatch(
        kind=first.kind,
        topic=first.topic,
        records=[each for batch in batches for each in batch.records],
        partitions=[each for batch in batches for each in batch.partitions],
        offsets=[each for batch in batches for each in batch.offsets],
        schema_ids=[each for batch in batches for each in batch.schema_ids],
        raws=[each for batch in batches for each in batch.raws],
        indexes=[each for batch in batches for each in batch.indexes],
        groups=[each for batch in batches for each in batch.groups],
        dropped=[each for batch in batches for each in batch.dropped],
    )
