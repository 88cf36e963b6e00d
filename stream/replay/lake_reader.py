"""Reads stored rows as records, for ranges that Kafka no longer has.

A row becomes the JSON that a producer would have sent, without what the policy of its time removed;
the worker's own path does the rest. Removed data cannot be restored, so only a stricter policy
makes sense. Placeholders are recognised and kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lake.ledger import SourcePartition
from lake.quarantine import ingested_since
from lake.retention_horizon import PSEUDONYMS_PART, TEXT_PART, complete_from
from lake.tables import Table
from schemas.arrow import EVENT_DATE, TABLES, TIMESTAMP_US
from schemas.contract import CONTRACTS, FieldType
from schemas.errors import UsageError
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind, RejectedRecord
from schemas.times import to_micros
from stream.intake import RecordDecoder
from stream.replay.kafka_reader import ReplayBatch
from stream.replay.replay_range import PartitionBounds, ReplayRange, ReplaySpan, resolve_spans

OFFSETS_READ: Final = 1_024
"""Offsets whose rows are read at once."""
SPAN_OFFSETS_READ: Final = 32
"""The same for topics of spans, whose records hold many rows."""
_NO_END: Final = 2**62
_PLACE: Final = ("_partition", "_offset", "_index")


class LakeReader:
    """Reads one topic's rows from a primary table, in place of Kafka's records.

    ``adopted`` is the time of the topic's last adoption: earlier rows belong to another topic. It
    is also the decoder, since each row records the schema it was written with.
    """

    def __init__(
        self,
        table: Table,
        topic: str,
        kind: RecordKind,
        decoder: RecordDecoder,
        adopted: int | None,
    ) -> None:
        self._table = table
        self._topic = topic
        self._decoder = decoder
        self._since = ingested_since(adopted or 0)
        self._fields = CONTRACTS[kind].fields
        self._next: dict[SourcePartition, int] = {}
        self._left: Iterator[RawRecord] = iter(())
        self._ends: dict[SourcePartition, int] = {}
        self._schemas: dict[tuple[int, int, int | None], str] = {}
        self._kind = kind
        self._window = SPAN_OFFSETS_READ if kind is RecordKind.SPAN else OFFSETS_READ

    def assign(self, starts: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets, one after the other."""
        self._next = dict(starts)
        self._table.refresh()

    def drop(self, source: SourcePartition) -> None:
        """Stop reading a partition."""
        self._next.pop(source, None)

    def watermarks(self, source: SourcePartition) -> tuple[int, int]:
        """Return unlimited bounds: the lake has no retention of its own here."""
        del source
        return 0, _NO_END

    def read(self, limit: int) -> ReplayBatch:
        """Return the next rows as records. Raises RetryableError if the lake is unavailable."""
        raws = self._take(limit)
        if raws or self._ends:
            ends, self._ends = ({}, self._ends) if len(raws) >= limit else (self._ends, {})
            return ReplayBatch(raws, ends)
        if not self._next:
            return ReplayBatch()
        source, start = next(iter(self._next.items()))
        self._read_window(source, start)
        self._next[source] = start + self._window
        return self.read(limit)

    def _take(self, limit: int) -> list[RawRecord]:
        """Return the next rows, up to ``limit`` and on to the last item of their record."""
        raws = list(islice(self._left, limit))
        for raw in self._left if raws else ():
            if raw.offset != raws[-1].offset:
                self._left = chain([raw], self._left)
                break
            raws.append(raw)
        return raws

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Decode rows; each keeps the schema that its record was written with."""
        decoded, rejected = self._decoder.decode(topic, messages)
        decoded.schema_ids = [self._schemas[raw[0], raw[1], raw.item] for raw in decoded.raws]
        if self._kind is RecordKind.SPAN:
            decoded.indexes = [raw.item or 0 for raw in decoded.raws]
            decoded.groups = [record.trace_id for record in decoded.records]
        return decoded, rejected

    def _read_window(self, source: SourcePartition, start: int) -> None:
        condition = (pc.field("_offset") >= start) & (pc.field("_offset") < start + self._window)
        condition &= (pc.field("_partition") == source.partition) & self._since
        columns = [*_PLACE, "_schema", *(field.name for field in self._fields)]
        rows = self._table.read(columns, condition, texts={"_topic": self._topic})
        order = [("_offset", "ascending"), ("_index", "ascending")]
        records = rows.sort_by(order).to_pylist()
        self._schemas = {
            (row["_partition"], row["_offset"], row["_index"]): row["_schema"] for row in records
        }
        self._left = iter([self._record(row) for row in records])
        self._ends = {source: start + self._window}

    def _record(self, row: Mapping[str, Any]) -> RawRecord:
        body = {field.name: _plain(field.type, row[field.name]) for field in self._fields}
        value = msgspec.json.encode(body)
        partition, offset, item = (row[name] for name in _PLACE)
        return RawRecord(partition, offset, -1, None, value, item=item)


def _plain(kind: FieldType, value: Any) -> Any:
    """Return a value as in JSON: times in microseconds, maps as objects."""
    if value is None:
        return None
    if kind is FieldType.TIMESTAMP:
        return to_micros(value)
    return dict(value) if kind is FieldType.MAP else value


def read_stored_bounds(
    table: Table, topic: str, adopted: int | None
) -> dict[SourcePartition, PartitionBounds]:
    """Return the first stored offset and the table's position of each partition of a topic."""
    rows = table.read(
        ["_partition", "_offset"], ingested_since(adopted or 0), texts={"_topic": topic}
    )
    firsts = rows.group_by("_partition").aggregate([("_offset", "min")]).to_pylist()
    lows = {SourcePartition(topic, row["_partition"]): row["_offset_min"] for row in firsts}
    positions = table.positions(list(lows))
    return {
        s: PartitionBounds(low, positions[s] or 0, positions[s] or 0) for s, low in lows.items()
    }


def resolve_stored_spans(
    table: Table, topic: str, adopted: int | None, requested: ReplayRange
) -> list[ReplaySpan]:
    """Return the offsets of the requested stored rows, by partition.

    Times are event times; rows with other times may lie in between. Raises UsageError if one bound
    is an offset and the other a time.
    """
    if isinstance(requested.start, int):
        if isinstance(requested.end, datetime):
            raise UsageError("Give two offsets or two times, not one of each.")
        spans = resolve_spans(requested, read_stored_bounds(table, topic, adopted), refuse_time)
        return [replace(span, forgotten=0) for span in spans]
    if isinstance(requested.end, int):
        raise UsageError("Give two offsets or two times, not one of each.")
    at = pc.field(TABLES[table.name].event_time)
    condition = ingested_since(adopted or 0) & (at >= pa.scalar(requested.start, TIMESTAMP_US))
    if requested.end is not None:
        condition &= at < pa.scalar(requested.end, TIMESTAMP_US)
    rows = table.read(["_partition", "_offset"], condition, texts={"_topic": topic})
    ends = rows.group_by("_partition").aggregate([("_offset", "min"), ("_offset", "max")])
    return [
        ReplaySpan(row["_partition"], row["_offset_min"], row["_offset_max"] + 1)
        for row in sorted(ends.to_pylist(), key=lambda row: int(row["_partition"]))
    ]


def refuse_expired(
    table: Table, topic: str, adopted: int | None, spans: Sequence[ReplaySpan]
) -> None:
    """Raise UsageError if parts of the range's rows have expired.

    A replay would replace such rows with less than their original records.
    """
    first_day = complete_from(table, TEXT_PART, PSEUDONYMS_PART)
    if first_day is None:
        return
    since = ingested_since(adopted or 0) & (pc.field(EVENT_DATE) < first_day)
    rows = table.read(["_partition", "_offset"], since, texts={"_topic": topic}).to_pylist()
    by_partition = {span.partition: span for span in spans}
    offsets = [
        row["_offset"]
        for row in rows
        for span in [by_partition.get(row["_partition"])]
        if span is not None and span.start <= row["_offset"] < span.end
    ]
    if offsets:
        raise UsageError(
            f"{len(offsets)} rows of the range are from days before {first_day}, whose texts or "
            f"pseudonyms have expired (offsets {min(offsets)} to {max(offsets)}): they cannot be "
            "replayed. Give a range without them."
        )


def refuse_time(_source: SourcePartition, _moment: datetime) -> int:
    """Refuse a time: Kafka's timestamps are not stored."""
    raise UsageError("With --from-lake, give the range as offsets: --from 0 --to 100000.")
