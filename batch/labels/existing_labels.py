"""The label events that a table holds of some traces."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from batch.labels.recompute import filter_by_trace
from labels.decision import EventRank, events_in_force
from labels.digest_set import DigestSet
from labels.replacement_plan import ExistingEvent
from lake.tables import FILE_COLUMN, Table
from schemas.records import LabelEvent

_RANK: Final = ("trace_id", "revision", "decided_at", "label_event_id", "expected_response")
_EVENT: Final = (*_RANK, "label", "p_fail", "route", "policy_version")


class ExistingLabelRow(NamedTuple):
    """An event, when its trace began, and the path of the file that it lies in."""

    held: ExistingEvent
    started_at: int | None
    path: str


def read_existing_labels(
    labels: Table, wanted: DigestSet
) -> Mapping[str, Sequence[ExistingLabelRow]]:
    """Return all events of some traces by trace id, as of the table's last refresh."""
    found: dict[str, list[ExistingLabelRow]] = defaultdict(list)
    columns = (*_RANK, "trace_started_at", FILE_COLUMN)
    for batch in filter_by_trace(labels.batches(columns), wanted):
        for trace_id, revision, at, event_id, text, began, path in zip(*_plain(batch), strict=True):
            held = ExistingEvent(EventRank(revision, at, event_id), text)
            found[trace_id].append(ExistingLabelRow(held, began, path))
    return found


def read_events_in_force(labels: Table, wanted: DigestSet) -> Mapping[str, LabelEvent]:
    """Return the event in force of each of these traces that has one, without its evidence."""
    return events_in_force(
        msgspec.convert(dict(zip(_EVENT, values, strict=True)), LabelEvent)
        for batch in filter_by_trace(labels.batches(_EVENT), wanted)
        for values in zip(*_plain(batch), strict=True)
    )


def _plain(batch: pa.RecordBatch) -> list[list[Any]]:
    """Return the columns as lists, times in microseconds since 1970 (UTC)."""
    return [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in batch.columns
    ]
