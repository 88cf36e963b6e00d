"""Captured traces as they are in the lake: stored, redacted, read back and assembled."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from otel.assembly import AssembledTrace, assemble_trace
from otel.signals import DecodedSignals
from otel.stored_spans import to_stored_spans
from otel.trace_sets import group_by_trace
from schemas.contract import CONTRACTS
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import EARLIEST_MICROS
from tests.otel.captures import read_records
from tests.otel.stored_rows import from_stored_spans
from tests.redact.kit import redactor

_SCHEMA = CONTRACTS[RecordKind.SPAN].fingerprint


def _first(source: str, encoding: str, records: int) -> list[DecodedSignals]:
    """Return so many records with spans, and so many with logs."""
    every = read_records(source, encoding)
    logs = [record for record in every if record.logs]
    return [*[record for record in every if not record.logs][:records], *logs[:records]]


@cache
def redact_capture(source: str, encoding: str, records: int) -> tuple[Mapping[str, Any], ...]:
    """Return the redacted rows of ``otel_spans`` of the first records of a source."""
    form = encoding.removeprefix("native_").split(".")[0] if "native" in encoding else "otlp"
    engine = redactor("strict")
    rows: list[Mapping[str, Any]] = []
    for offset, signals in enumerate(_first(source, encoding, records)):
        stored = to_stored_spans(signals, form, fallback_us=EARLIEST_MICROS, most_bytes=2**28)
        spans = [span for _, span in stored.rows]
        batch = DecodedBatch(
            kind=RecordKind.SPAN,
            topic="otlp_spans",
            records=spans,
            partitions=[0] * len(spans),
            offsets=[offset] * len(spans),
            schema_ids=[_SCHEMA] * len(spans),
            raws=[RawRecord(0, offset, -1, None, b"")] * len(spans),
            indexes=[index for index, _ in stored.rows],
            groups=[span.trace_id for span in spans],
        )
        outcome = engine.redact(batch, ingested_at=EARLIEST_MICROS)
        assert not outcome.rejected
        rows += outcome.rows.value.to_pylist()
    return tuple(rows)


def assemble_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, AssembledTrace]:
    """Return the traces that are assembled from stored rows."""
    groups = group_by_trace([from_stored_spans(rows)])
    return {
        trace_id: assemble_trace(trace_id, group.spans, group.logs)
        for trace_id, group in groups.items()
        if group.spans
    }


def assemble_plain(source: str, encoding: str, records: int) -> dict[str, AssembledTrace]:
    """Return the traces of the same records without redaction."""
    groups = group_by_trace(_first(source, encoding, records))
    return {
        trace_id: assemble_trace(trace_id, group.spans, group.logs)
        for trace_id, group in groups.items()
        if group.spans
    }
