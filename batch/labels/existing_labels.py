"""Reads the label events that a table already holds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from batch.labels.recompute import filter_by_trace
from batch.labels.trace_buckets import ScanExtent, TraceBuckets
from labels.decision import EventRank, events_in_force
from labels.digests import DigestSet
from labels.replacement_plan import ExistingEvent
from lake.tables import FILE_COLUMN, Table
from schemas.records import LabelEvent

_RANK: Final = ("trace_id", "revision", "decided_at", "label_event_id")
_EXISTING: Final = (*_RANK, "expected_response")
_EVENT: Final = (*_EXISTING, "label", "p_fail", "route", "policy_version")


class ExistingLabelRow(NamedTuple):
    """An event, the start of its trace, and the path of its file."""

    event: ExistingEvent
    started_at: int | None
    path: str


def read_existing_labels(
    labels: Table, trace_ids: DigestSet
) -> Mapping[str, Sequence[ExistingLabelRow]]:
    """Return all events of some traces by trace id, as of the table's last refresh."""
    rows: dict[str, list[ExistingLabelRow]] = defaultdict(list)
    columns = (*_EXISTING, "trace_started_at", FILE_COLUMN)
    for batch in filter_by_trace(labels.batches(columns), trace_ids):
        for trace_id, revision, at, event_id, text, started, path in zip(
            *_to_lists(batch), strict=True
        ):
            event = ExistingEvent(EventRank(revision, at, event_id), text)
            rows[trace_id].append(ExistingLabelRow(event, started, path))
    return rows


def read_events_in_force(labels: Table, trace_ids: DigestSet) -> Mapping[str, LabelEvent]:
    """Return the event in force of each of these traces that has one, without its evidence."""
    return events_in_force(
        msgspec.convert(dict(zip(_EVENT, values, strict=True)), LabelEvent)
        for batch in filter_by_trace(labels.batches(_EVENT), trace_ids)
        for values in zip(*_to_lists(batch), strict=True)
    )


def read_ranks(
    labels: Table, extent: ScanExtent, buckets: TraceBuckets, bucket: int
) -> dict[str, EventRank]:
    """Return the rank of the label event in force, by trace id, for the traces of a bucket."""
    parts = list(buckets.filter(labels.batches(_RANK, extent.related_filter), bucket))
    if not parts:
        return {}
    rows = pa.Table.from_batches(parts)
    rows = rows.sort_by([(name, "descending") for name in _RANK[1:]])
    codes = rows["trace_id"].combine_chunks().dictionary_encode().indices
    _, first = np.unique(codes.to_numpy(), return_index=True)
    rows = rows.take(pa.array(first))
    columns = [rows["revision"], rows["decided_at"].cast(pa.int64()), rows["label_event_id"]]
    values = zip(*(column.to_pylist() for column in columns), strict=True)
    return {
        trace_id: EventRank(*rank)
        for trace_id, rank in zip(rows["trace_id"].to_pylist(), values, strict=True)
    }


def _to_lists(batch: pa.RecordBatch) -> list[list[Any]]:
    """Return the columns as lists, times in microseconds since 1970 (UTC)."""
    return [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in batch.columns
    ]
