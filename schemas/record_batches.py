"""Records on their way through the worker, with the coordinates they came from.

A batch has parallel lists instead of a list of objects: a batch belongs to one topic, and the lists
of coordinates become columns of the table.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, NamedTuple, TypeVar

from schemas.assembly_columns import AssemblyFacts

RecordT = TypeVar("RecordT")


class RecordKind(StrEnum):
    """The kinds of records that the worker stores; the value is the name of the Avro schema.

    A Kafka record holds one trace or one feedback, but any number of spans.
    """

    TRACE = "trace"
    FEEDBACK = "feedback"
    SPAN = "otel_span"


SENT_KINDS: Final = (RecordKind.TRACE, RecordKind.FEEDBACK)
"""The kinds that producers send in the contract's own form, one a Kafka record."""

Headers = tuple[tuple[str, bytes | None], ...]
"""The headers of a Kafka record, in order. A name may occur more than once."""


class RawRecord(NamedTuple):
    """A record as Kafka returned it. ``timestamp_ms`` is -1 if the record has none.

    ``headers`` are those of a record whose format needs them. If only one item of the record is
    meant, ``item`` is its place within the record, and ``value`` holds that item alone.
    `DECODED_BEFORE` in its place says that items of the record were decoded before: its size is no
    reason any more to set the record aside as one.
    """

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    item: int | None = None


DECODED_BEFORE: Final = -1


class DroppedItem(NamedTuple):
    """An item of a Kafka record that a named rule drops: it goes to no table."""

    partition: int
    offset: int
    item: int
    rule: str


@dataclass(slots=True, repr=False)
class DecodedBatch(Generic[RecordT]):
    """Valid records of one topic, not yet redacted; entry *i* of each list is of one record.

    ``schema_ids`` holds the fingerprint (CRC-64-AVRO, 16 hex digits) of the schema that each record
    was written with. ``raws`` holds the raw records, for those that redaction must reject.
    ``assembly`` is empty, or has an entry for each trace: they were assembled from spans.

    ``indexes`` and ``groups`` are empty unless a Kafka record holds many items. Then ``raws`` holds
    each item alone, ``indexes`` its place within the Kafka record, and ``groups`` its trace (None
    if it has none): what an item teaches counts for the items with the same partition, offset and
    group. ``dropped`` are items of these Kafka records that are not among the rows.
    """

    kind: RecordKind
    topic: str
    records: Sequence[RecordT]
    partitions: Sequence[int]
    offsets: Sequence[int]
    schema_ids: Sequence[str]
    raws: Sequence[RawRecord]
    assembly: Sequence[AssemblyFacts] = ()
    indexes: Sequence[int] = ()
    groups: Sequence[str | None] = ()
    dropped: Sequence[DroppedItem] = ()

    def __len__(self) -> int:
        return len(self.records)

    def coordinates(self) -> Iterator[tuple[int, int, int | None]]:
        """Yield partition, offset and index of each row; the index of a whole record is None."""
        indexes: Sequence[int | None] = self.indexes or [None] * len(self)
        return zip(self.partitions, self.offsets, indexes, strict=True)

    def subset(self, rows: Sequence[int]) -> "DecodedBatch[RecordT]":
        """Return some of the rows, in the order given."""
        return DecodedBatch(
            kind=self.kind,
            topic=self.topic,
            records=[self.records[i] for i in rows],
            partitions=[self.partitions[i] for i in rows],
            offsets=[self.offsets[i] for i in rows],
            schema_ids=[self.schema_ids[i] for i in rows],
            raws=[self.raws[i] for i in rows],
            assembly=[self.assembly[i] for i in rows] if self.assembly else (),
            indexes=[self.indexes[i] for i in rows] if self.indexes else (),
            groups=[self.groups[i] for i in rows] if self.groups else (),
            dropped=self.dropped,
        )

    def __repr__(self) -> str:
        return f"Decoded(kind={self.kind}, topic={self.topic!r}, rows={len(self)})"


def batch_records(
    kind: RecordKind,
    topic: str,
    records: Sequence[RecordT],
    *,
    schema_id: str = "",
    assembly: Sequence[AssemblyFacts] = (),
) -> DecodedBatch[RecordT]:
    """Return records that no Kafka record holds as a batch; their offsets are their places in it.

    ``topic`` names where they come from instead.
    """
    count = len(records)
    return DecodedBatch(
        kind=kind,
        topic=topic,
        records=list(records),
        partitions=[0] * count,
        offsets=list(range(count)),
        schema_ids=[schema_id] * count,
        raws=[RawRecord(0, place, -1, None, None) for place in range(count)],
        assembly=assembly,
    )


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot be stored in its table, with the reason.

    ``reason`` is a word of a closed list, ``detail`` a sentence for people, ``field`` the path of a
    field of the contract. None of them holds content of the record. ``raw`` does, so it is left out
    of the representation.
    """

    topic: str
    reason: str
    detail: str
    raw: RawRecord = dataclasses.field(repr=False)
    field: str | None = None
    schema_id: str | None = None
