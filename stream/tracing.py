"""The stages of the worker's work, each in a span for whoever collects traces, if anybody does.

A span says what was done, for how long, and to which records: topic, partitions and offsets,
counts, the name of a table; never anything of a record. Where no spans are wanted the stages are
handed out as they are, so that nothing is paid for them.

    poll     one question to Kafka
    decode   a batch
    redact   a batch
    flush    all steps of a flush; within it, for each table that has a part in it:
    write    encoding and uploading its files
    commit   making them visible, with the positions
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from lake.ledger import Incarnation, SourceRange
from lake.table_commit import CommitContext
from lake.table_writer import FlushPart, PreparedFiles, TableWriter
from lake.tables import Table
from schemas.record_batches import DecodedBatch, RawRecord, RejectedRecord
from schemas.redacted import Redacted
from stream.flusher import FlushRunner
from stream.intake import RecordDecoder, RecordRedactor, RedactedRecords

SpanAttribute: TypeAlias = str | int


class Tracer(Protocol):
    """Where spans go; see `goldpan.otlp`."""

    def span(self, name: str, **where: SpanAttribute) -> AbstractContextManager[None]:
        """Return what the work is done in."""

    def close(self) -> None:
        """Send what is left, within a few seconds."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """Hands out the stages, in spans if there are any."""

    spans: Tracer | None = None

    def consumer(self, consumer: Any) -> Any:
        """Return the consumer that is polled."""
        return consumer if self.spans is None else _Consumer(consumer, self.spans)

    def decoder(self, decoder: RecordDecoder) -> RecordDecoder:
        """Return the decoder."""
        return decoder if self.spans is None else _Decoder(decoder, self.spans)

    def redactor(self, redactor: RecordRedactor) -> RecordRedactor:
        """Return the redactor."""
        return redactor if self.spans is None else _Redactor(redactor, self.spans)

    def steps(self, steps: FlushRunner) -> FlushRunner:
        """Return the steps of a flush."""
        return steps if self.spans is None else _Steps(steps, self.spans)

    def writer(self, table: Table, context: CommitContext) -> TableWriter:
        """Return what writes to a table."""
        if self.spans is None:
            return TableWriter(table, context)
        return _Writer(table, context, self.spans)

    def close(self) -> None:
        """Send what is left."""
        if self.spans is not None:
            self.spans.close()


class _Consumer:
    """A consumer of confluent_kafka, whatever else is asked of it."""

    def __init__(self, consumer: Any, spans: Tracer) -> None:
        self._consumer = consumer
        self._spans = spans

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def consume(self, *args: Any) -> Any:
        with self._spans.span("poll"):
            return self._consumer.consume(*args)


@dataclass(frozen=True, slots=True)
class _Decoder:
    inner: RecordDecoder
    spans: Tracer

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        offsets = _offsets((raw.partition, raw.offset) for raw in messages)
        with self.spans.span("decode", topic=topic, records=len(messages), offsets=offsets):
            return self.inner.decode(topic, messages)


class _Redactor:
    def __init__(self, inner: RecordRedactor, spans: Tracer) -> None:
        self._inner = inner
        self._spans = spans

    @property
    def memory_bytes(self) -> int:
        return self._inner.memory_bytes

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactedRecords:
        with self._spans.span("redact", topic=decoded.topic, records=len(decoded.records)):
            return self._inner.redact(decoded, ingested_at=ingested_at)

    def statistics(self) -> Mapping[str, int]:
        return self._inner.statistics()


@dataclass(frozen=True, slots=True)
class _Steps:
    inner: FlushRunner
    spans: Tracer

    def run(self, flush: Any) -> Any:
        with self.spans.span("flush", topic=flush.topic):
            return self.inner.run(flush)


class _Writer(TableWriter):
    def __init__(self, table: Table, context: CommitContext, spans: Tracer) -> None:
        super().__init__(table, context)
        self._spans = spans

    def prepare(
        self, batches: Sequence[Redacted[pa.RecordBatch]], ranges: Sequence[SourceRange]
    ) -> PreparedFiles:
        if not batches:
            return super().prepare(batches, ranges)
        with self._spans.span("write", table=self.table.name, offsets=_ranges(ranges)):
            return super().prepare(batches, ranges)

    def commit(
        self,
        prepared: PreparedFiles,
        part: FlushPart,
        *,
        token: int,
        incarnations: Mapping[str, Incarnation],
    ) -> bool:
        with self._spans.span("commit", table=self.table.name, offsets=_ranges(part.ranges)):
            return super().commit(prepared, part, token=token, incarnations=incarnations)


def _offsets(coordinates: Any) -> str:
    """Return the first and the last offset of each partition, as in ``0:17-40 3:5-9``."""
    found: dict[int, list[int]] = {}
    for partition, offset in coordinates:
        found.setdefault(partition, []).append(offset)
    return " ".join(f"{p}:{min(some)}-{max(some)}" for p, some in sorted(found.items()))


def _ranges(ranges: Sequence[SourceRange]) -> str:
    ends = ((one, at) for one in ranges for at in (one.start, max(one.start, one.end - 1)))
    return _offsets((one.partition, at) for one, at in ends)
