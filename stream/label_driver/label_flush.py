"""A flush of labels: its label events, their rows, and the positions that advance with them."""

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
"""The topic of a flush of labels; no Kafka topic can have this name."""
LABEL_CONTRACT: Final = "label_event"
LABELS_TABLE_NAME: Final = "labels"
EVENT_COLUMNS: Final = [field.name for field in CONTRACTS[LABEL_CONTRACT].fields]


@dataclass(frozen=True, slots=True)
class LabelFlush:
    """Label events and the positions that move with them; all their evidence is in the lake.

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
        """Return the marker that takes the place of a topic."""
        return LABELS_MARKER

    @property
    def bytes(self) -> int:
        """Return the memory used by the rows."""
        return sum(rows.value.nbytes for rows in self.rows)


@dataclass(frozen=True, slots=True)
class LabelsFlushed:
    """A flush that is in the lake. ``produced`` counts the events sent, overdue ones included."""

    flush: LabelFlush
    seconds: float
    produced: int


def build_label_rows(
    decisions: DecidedBatch, topics: Mapping[RecordKind, str], *, ingested_at: int, policy: str
) -> list[Redacted[pa.RecordBatch]]:
    """Return the decided events as rows of ``labels``; an empty list if there are none.

    A row has the coordinates of the record that triggered it. ``ingested_at`` is in microseconds
    since 1970 (UTC), ``policy`` is the hash of the redaction policy. Raises FatalError if a text is
    not from redacted feedback.
    """
    if not decisions.decided:
        return []
    decided, rows = decisions.decided, len(decisions.decided)
    columns = record_arrays(LABEL_CONTRACT, [item.event for item in decided])
    provenance = [
        pa.array([topics[item.trigger.kind] for item in decided], pa.string()),
        pa.array([item.partition for item in decided], pa.int32()),
        pa.array([item.trigger.offset for item in decided], pa.int64()),
        pa.repeat(pa.scalar(ingested_at, TIMESTAMP_US), rows),
        pa.repeat(pa.scalar(CONTRACTS[LABEL_CONTRACT].fingerprint, pa.string()), rows),
        pa.repeat(pa.scalar(policy, pa.string()), rows),
        pa.nulls(rows, pa.int32()),
    ]
    table = TABLES[LABELS_TABLE_NAME]
    day = columns[table.arrow.get_field_index(table.event_time)].cast(pa.date32())
    batch = pa.RecordBatch.from_arrays([*columns, *provenance, day], schema=table.arrow)
    return [
        box_derived_rows(batch, LABEL_CONTRACT, redacted_texts=decisions.corrections, policy=policy)
    ]


def parse_label_events(rows: pa.Table) -> list[LabelEvent]:
    """Return rows of ``labels`` as label events."""
    return [_event(row) for row in rows.select(EVENT_COLUMNS).to_pylist()]


def _event(row: Mapping[str, Any]) -> LabelEvent:
    times = {name: to_micros(value) for name, value in row.items() if isinstance(value, datetime)}
    return msgspec.convert({**row, **times, "segments": dict(row["segments"])}, LabelEvent)
