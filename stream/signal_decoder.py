"""Decodes Kafka records of OpenTelemetry, or of a product, to the rows of their items.

A Kafka record holds any number of spans, log records, runs and feedback. Each becomes a row of its
own, with its place in the record. An item that breaks a rule is rejected alone; a record that
cannot be read at all is rejected as one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from otel.formats import SignalFormat, decode_signals
from otel.kept_items import KeptItem, write_kept_item
from otel.signals import DecodedSignals, RejectedItem
from otel.span_view import ExtraFields
from otel.stored_spans import ROW_OVERHEAD, RowsTooLargeError, to_stored_spans
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason
from schemas.record_batches import (
    DECODED_BEFORE,
    DecodedBatch,
    DroppedItem,
    RawRecord,
    RecordKind,
    RejectedRecord,
)
from schemas.records import EARLIEST_MICROS, LATEST_MICROS, StoredSpan

MOST_ROW_BYTES: Final = 32 * 2**20
"""Most bytes of text that the rows of one record may have together. The resource of a request
stands in the row of each of its spans, so a small record could fill any memory."""

_SCHEMA: Final = CONTRACTS[RecordKind.SPAN].fingerprint


@dataclass(slots=True)
class _Rows:
    """The parallel lists of a batch, and what was rejected and dropped."""

    records: list[StoredSpan] = field(default_factory=list)
    raws: list[RawRecord] = field(default_factory=list)
    rejected: list[RejectedRecord] = field(default_factory=list)
    dropped: list[DroppedItem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SignalDecoder:
    """Decodes the records of topics with one format.

    ``max_record_bytes`` is the length of the longest value that is decoded. ``now_us`` is the wall
    clock in microseconds since 1970: the event time of an item without any. ``on_unrecognised`` is
    called with a topic and the number of its spans that no dialect recognises. ``extra`` names
    further attributes of the application.
    """

    signal_format: SignalFormat
    max_record_bytes: int
    now_us: Callable[[], int]
    on_unrecognised: Callable[[str, int], None] = lambda _topic, _spans: None
    extra: ExtraFields = field(default_factory=dict)

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[StoredSpan], list[RejectedRecord]]:
        """Return the rows of the items, and what was rejected: records, and single items."""
        rows = _Rows()
        for raw in messages:
            limited = raw.item != DECODED_BEFORE
            self._decode(topic, raw if limited else raw._replace(item=None), rows, limited=limited)
        return _to_batch(topic, rows), rows.rejected

    def _decode(self, topic: str, raw: RawRecord, rows: _Rows, *, limited: bool) -> None:
        if not raw.value:
            reason = QuarantineReason.TOMBSTONE if raw.value is None else QuarantineReason.EMPTY
            rows.rejected.append(self._refuse(topic, raw, reason, _NOTHING))
            return
        if limited and len(raw.value) > self.max_record_bytes:
            detail = f"The value is longer than the {self.max_record_bytes:,} bytes allowed."
            rows.rejected.append(self._refuse(topic, raw, QuarantineReason.TOO_LARGE, detail))
            return
        signals = decode_signals(self.signal_format, raw.value, raw.headers)
        if not signals.readable:
            detail = _sentence(signals.rejected[0].reason)
            rows.rejected.append(self._refuse(topic, raw, QuarantineReason.NOT_SIGNALS, detail))
            return
        self._add_items(topic, raw, signals, rows)

    def _add_items(self, topic: str, raw: RawRecord, signals: DecodedSignals, rows: _Rows) -> None:
        fallback_us = _valid_time(raw.timestamp_ms * 1000, self.now_us())
        try:
            set_aside, size = _write_rejected(topic, raw, signals.rejected)
            stored = to_stored_spans(
                signals,
                self.signal_format,
                fallback_us=fallback_us,
                most_bytes=MOST_ROW_BYTES - size,
                extra=self.extra,
            )
        except RowsTooLargeError:
            rejected = self._refuse(topic, raw, QuarantineReason.TOO_LARGE, _TOO_LARGE_AS_ROWS)
            rows.rejected.append(rejected)
            return
        if stored.unrecognised:
            self.on_unrecognised(topic, stored.unrecognised)
        for index, record in stored.rows:
            rows.records.append(record)
            rows.raws.append(_raw_of_row(raw, index, record))
        for index, record, breach in stored.refused:
            rows.rejected.append(
                RejectedRecord(
                    topic=topic,
                    reason=breach.reason,
                    detail=breach.detail,
                    raw=_raw_of_row(raw, index, record),
                    field=breach.field,
                    schema_id=_SCHEMA,
                )
            )
        rows.rejected += set_aside
        rows.dropped += [
            DroppedItem(raw.partition, raw.offset, index, rule) for index, rule in stored.dropped
        ]

    def _refuse(
        self, topic: str, raw: RawRecord, reason: QuarantineReason, detail: str
    ) -> RejectedRecord:
        """Return a record that is rejected as one; its headers are kept with it."""
        if raw.headers and raw.value is not None:
            kept = KeptItem("record", raw.value, raw.headers)
            raw = raw._replace(value=write_kept_item(kept))
        return RejectedRecord(topic=topic, reason=reason, detail=detail, raw=raw)


def _to_batch(topic: str, rows: _Rows) -> DecodedBatch[StoredSpan]:
    return DecodedBatch(
        kind=RecordKind.SPAN,
        topic=topic,
        records=rows.records,
        partitions=[raw.partition for raw in rows.raws],
        offsets=[raw.offset for raw in rows.raws],
        schema_ids=[_SCHEMA] * len(rows.records),
        raws=rows.raws,
        indexes=[raw.item or 0 for raw in rows.raws],
        groups=[record.trace_id for record in rows.records],
        dropped=rows.dropped,
    )


def _raw_of_row(raw: RawRecord, index: int, record: StoredSpan) -> RawRecord:
    """Return the raw form of one item: its row as JSON, before it is redacted."""
    value = write_kept_item(KeptItem("row", msgspec.json.encode(record)))
    return RawRecord(raw.partition, raw.offset, raw.timestamp_ms, None, value, item=index)


def _write_rejected(
    topic: str, raw: RawRecord, items: Sequence[RejectedItem]
) -> tuple[list[RejectedRecord], int]:
    """Return rejected items, each as a record of its own, and their size in bytes.

    Raises RowsTooLargeError: the resource of a request stands in each of them.
    """
    rejected: list[RejectedRecord] = []
    size = 0
    for item in items:
        headers = (("http.path", item.path.encode()),) if item.path else ()
        value = write_kept_item(KeptItem("record", item.write(), headers))
        size += ROW_OVERHEAD + len(value)
        if size > MOST_ROW_BYTES:
            raise RowsTooLargeError
        alone = raw._replace(key=None, value=value, headers=(), item=item.index)
        reason, detail = QuarantineReason.INVALID_ITEM, _sentence(item.reason)
        rejected.append(RejectedRecord(topic, reason, detail, alone))
    return rejected, size


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def _valid_time(*micros: int) -> int:
    """Return the first time that the contract allows, else the earliest that it allows."""
    valid = (time for time in micros if EARLIEST_MICROS <= time <= LATEST_MICROS)
    return next(valid, EARLIEST_MICROS)


_NOTHING: Final = "The value has no bytes."
_TOO_LARGE_AS_ROWS: Final = (
    f"The rows of its items would have more than {MOST_ROW_BYTES:,} bytes together."
)
