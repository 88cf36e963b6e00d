"""What one flush of labels brings into the lake, and the rows that it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow as pa

from labels.join import DecidedBatch, DecidedLabel
from lake.ledger import Incarnation
from lake.table_writer import FlushPart
from redact.pipeline.derived_rows import box_derived_rows
from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.columns import record_arrays
from schemas.contract import CONTRACTS
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent
from schemas.redacted import Redacted
from schemas.times import to_micros

LABELS_MARKER: Final = "#labels"
"""Stands where flushes of records have their topic; no topic of Kafka can be called so."""
LABEL_CONTRACT: Final = "label_event"
LABELS_TABLE_NAME: Final = "labels"
EVENT_COLUMNS: Final = [field.name for field in CONTRACTS[LABEL_CONTRACT].fields]


@dataclass(frozen=True, slots=True)
class LabelFlush:
    """Label events and the positions that move with them; all that they rest on is in the lake.

    ``overdue`` are events that are in the table already but may not have been produced.
    """

    token: int
    incarnations: Mapping[str, Incarnation]
    rows: Sequence[Redacted[pa.RecordBatch]]
    part: FlushPart
    decided: Sequence[DecidedLabel]
    overdue: Sequence[LabelEvent]

    @property
    def topic(self) -> str:
        """Return what stands for the topic."""
        return LABELS_MARKER

    @property
    def bytes(self) -> int:
        """Return the memory that the rows take."""
        return sum(rows.value.nbytes for rows in self.rows)


@dataclass(frozen=True, slots=True)
class LabelsFlushed:
    """Label events that are in the lake; ``produced`` of them, and of older ones, to the topic."""

    flush: LabelFlush
    seconds: float
    produced: int


def build_label_rows(
    taken: DecidedBatch, topics: Mapping[RecordKind, str], *, ingested_at: int, policy: str
) -> list[Redacted[pa.RecordBatch]]:
    """Return what was decided as rows of ``labels``; none if nothing was.

    A row has the coordinates of the record that called for it. ``ingested_at`` is in microseconds
    since 1970 (UTC), ``policy`` the hash of the redaction policy. Raises FatalError if a text is
    not one that redacted feedback gave.
    """
    if not taken.decided:
        return []
    decided, rows = taken.decided, len(taken.decided)
    columns = record_arrays(LABEL_CONTRACT, [item.event for item in decided])
    provenance = [
        pa.array([topics[item.cause.kind] for item in decided], pa.string()),
        pa.array([item.partition for item in decided], pa.int32()),
        pa.array([item.cause.offset for item in decided], pa.int64()),
        pa.repeat(pa.scalar(ingested_at, TIMESTAMP_US), rows),
        pa.repeat(pa.scalar(CONTRACTS[LABEL_CONTRACT].fingerprint, pa.string()), rows),
        pa.repeat(pa.scalar(policy, pa.string()), rows),
    ]
    table = TABLES[LABELS_TABLE_NAME]
    day = columns[table.arrow.get_field_index(table.event_time)].cast(pa.date32())
    batch = pa.RecordBatch.from_arrays([*columns, *provenance, day], schema=table.arrow)
    return [
        box_derived_rows(batch, LABEL_CONTRACT, redacted_texts=taken.corrections, policy=policy)
    ]


def parse_label_events(rows: pa.Table) -> list[LabelEvent]:
    """Return rows of ``labels`` as the events they were."""
    return [_event(row) for row in rows.select(EVENT_COLUMNS).to_pylist()]


def _event(row: Mapping[str, Any]) -> LabelEvent:
    times = {name: to_micros(value) for name, value in row.items() if isinstance(value, datetime)}
    return msgspec.convert({**row, **times, "segments": dict(row["segments"])}, LabelEvent)
