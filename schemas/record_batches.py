"""Records on their way through the worker, with the coordinates they came from.

A batch is a structure of parallel lists rather than a list of objects: one batch is one topic, and
the columns of coordinates go into the table as they are.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

RecordT = TypeVar("RecordT")


class RecordKind(StrEnum):
    """The two kinds of record that are consumed; the value is the name of the Avro schema."""

    TRACE = "trace"
    FEEDBACK = "feedback"


class RawRecord(NamedTuple):
    """A record as Kafka gave it. ``timestamp_ms`` is -1 where the record carries none."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True, repr=False)
class DecodedBatch(Generic[RecordT]):
    """Valid records of one topic, not yet redacted: row *i* of each list belongs together.

    ``schema_ids`` holds the fingerprint (CRC-64-AVRO, 16 hex digits) of the schema each record was
    written with. ``raws`` holds the records as they came, for those that redaction must refuse.
    """

    kind: RecordKind
    topic: str
    records: Sequence[RecordT]
    partitions: Sequence[int]
    offsets: Sequence[int]
    schema_ids: Sequence[str]
    raws: Sequence[RawRecord]

    def __len__(self) -> int:
        return len(self.records)

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
        )

    def __repr__(self) -> str:
        return f"Decoded(kind={self.kind}, topic={self.topic!r}, rows={len(self)})"


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot go to its table, and why.

    ``reason`` is one word of a closed list, ``detail`` a sentence for a person, ``field`` the path
    of a field of the contract. None of them holds anything of the record; ``raw`` does, and is
    therefore left out of the representation.
    """

    topic: str
    reason: str
    detail: str
    raw: RawRecord = dataclasses.field(repr=False)
    field: str | None = None
    schema_id: str | None = None
