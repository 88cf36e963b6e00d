"""Stored rows, read again as if they were records: where Kafka has forgotten what they came from.

A row is written as the JSON that a producer would have sent, but for what the policy of its time
has taken out; the worker's own way does the rest. What was taken out cannot come back, so only a
stricter policy makes sense. Placeholders are known as such and stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
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
from stream.intake import RecordDecoder
from stream.replay.kafka_reader import ReplayBatch
from stream.replay.replay_range import PartitionBounds, ReplayRange, ReplaySpan, resolve_spans

OFFSETS_READ: Final = 1_024
"""Offsets of which rows are read at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_NO_END: Final = 2**62


class LakeReader:
    """Reads the rows of one topic in a primary table, in the place of Kafka's records.

    ``adopted`` is when the topic was last adopted: rows from before belong to another topic. The
    decoder is this object too, since a row says by itself which schema it was written with.
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
        self._schemas: dict[tuple[int, int], str] = {}

    def assign(self, starts: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets on, one after the other."""
        self._next = dict(starts)
        self._table.refresh()

    def drop(self, source: SourcePartition) -> None:
        """Read a partition no further."""
        self._next.pop(source, None)

    def watermarks(self, source: SourcePartition) -> tuple[int, int]:
        """Return bounds that bound nothing: the lake forgets no row of itself."""
        del source
        return 0, _NO_END

    def read(self, most: int) -> ReplayBatch:
        """Return the next rows as records. Raises RetryableError if the lake does not answer."""
        raws = list(islice(self._left, most))
        if raws or self._ends:
            ends, self._ends = ({}, self._ends) if len(raws) == most else (self._ends, {})
            return ReplayBatch(raws, ends)
        if not self._next:
            return ReplayBatch()
        source, start = next(iter(self._next.items()))
        self._window(source, start)
        self._next[source] = start + OFFSETS_READ
        return self.read(most)

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Decode rows; each keeps the schema that its record was written with."""
        decoded, rejected = self._decoder.decode(topic, messages)
        decoded.schema_ids = [
            self._schemas[where] for where in zip(decoded.partitions, decoded.offsets, strict=True)
        ]
        return decoded, rejected

    def _window(self, source: SourcePartition, start: int) -> None:
        where = (pc.field("_offset") >= start) & (pc.field("_offset") < start + OFFSETS_READ)
        where &= (pc.field("_partition") == source.partition) & self._since
        columns = ["_partition", "_offset", "_schema", *(field.name for field in self._fields)]
        rows = self._table.read(columns, where, texts={"_topic": self._topic})
        found = rows.sort_by("_offset").to_pylist()
        self._schemas = {(row["_partition"], row["_offset"]): row["_schema"] for row in found}
        self._left = iter([self._record(row) for row in found])
        self._ends = {source: start + OFFSETS_READ}

    def _record(self, row: Mapping[str, Any]) -> RawRecord:
        body = {field.name: _plain(field.type, row[field.name]) for field in self._fields}
        value = msgspec.json.encode(body)
        return RawRecord(row["_partition"], row["_offset"], -1, None, value)


def _plain(kind: FieldType, value: Any) -> Any:
    """Return a value as JSON has it: times in microseconds, maps as objects."""
    if value is None:
        return None
    if kind is FieldType.TIMESTAMP:
        return (value - _EPOCH) // _MICRO
    return dict(value) if kind is FieldType.MAP else value


def read_stored_bounds(
    table: Table, topic: str, adopted: int | None
) -> dict[SourcePartition, PartitionBounds]:
    """Return where the rows of each partition of a topic begin, and the table's position."""
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
    table: Table, topic: str, adopted: int | None, wanted: ReplayRange
) -> list[ReplaySpan]:
    """Return between which offsets the stored rows lie that are asked for, by partition.

    A time is that of the events; rows of other times may lie between. Raises UsageError if one
    bound is an offset and the other a time.
    """
    if isinstance(wanted.start, int):
        if isinstance(wanted.end, datetime):
            raise UsageError("Give two offsets, or two times.")
        found = resolve_spans(wanted, read_stored_bounds(table, topic, adopted), refuse_time)
        return [replace(span, forgotten=0) for span in found]
    if isinstance(wanted.end, int):
        raise UsageError("Give two offsets, or two times.")
    at = pc.field(TABLES[table.name].event_time)
    where = ingested_since(adopted or 0) & (at >= pa.scalar(wanted.start, TIMESTAMP_US))
    if wanted.end is not None:
        where &= at < pa.scalar(wanted.end, TIMESTAMP_US)
    rows = table.read(["_partition", "_offset"], where, texts={"_topic": topic})
    ends = rows.group_by("_partition").aggregate([("_offset", "min"), ("_offset", "max")])
    return [
        ReplaySpan(row["_partition"], row["_offset_min"], row["_offset_max"] + 1)
        for row in sorted(ends.to_pylist(), key=lambda row: int(row["_partition"]))
    ]


def refuse_expired(
    table: Table, topic: str, adopted: int | None, spans: Sequence[ReplaySpan]
) -> None:
    """Raise UsageError if something of the rows of a range has expired: it would be replaced by
    less than the record that it came from."""
    whole = complete_from(table, TEXT_PART, PSEUDONYMS_PART)
    if whole is None:
        return
    since = ingested_since(adopted or 0) & (pc.field(EVENT_DATE) < whole)
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
            f"{len(offsets)} rows of the range are of days before {whole}, of which texts or "
            f"pseudonyms have expired (offsets {min(offsets)} to {max(offsets)}): they stay as "
            "they are. Give a range without them."
        )


def refuse_time(_source: SourcePartition, _moment: datetime) -> int:
    """Refuse a time: the time of Kafka is not stored."""
    raise UsageError("With --from-lake the range is given as offsets: --from 0 --to 100000.")
