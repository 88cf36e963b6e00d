"""The open items of the review queue, read from the table ``labels``.

Few columns are read, a part at a time. Only two rows are kept of each trace that was ever routed to
reviewers: the first that was routed there, and the one in force. So memory grows with the
traces that went to reviewers, about 2 KB each, not with the labels.

Only items whose conversation and reviews are in the lake can be reviewed. A trace that has a signal
but never arrived has nothing to show; it is handed out once it has arrived and its label has been
decided again. Where the texts of a day have expired there is nothing to show either. Where reviews
have expired, an item that they had closed would seem open. A trace that repeats another one is not
in force: the other one is reviewed.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.assembled_rows import has_assembled_rows, read_repeating_traces
from labels.review_queue import QueueItem, ReviewQueue
from lake.retention_horizon import ROWS_PART, TEXT_PART, complete_from
from lake.tables import Table
from schemas.records import LabelEvent
from schemas.times import day_start_micros

_COLUMNS: Final = (
    "label_event_id",
    "trace_id",
    "revision",
    "label",
    "p_fail",
    "route",
    "audit_probability",
    "policy_version",
    "decided_at",
    "trace_started_at",
    "app",
    "segments",
)
_TIMES: Final = ("decided_at", "trace_started_at")


@dataclass(frozen=True, slots=True)
class ReviewableItems:
    """Since when traces and reviews are complete, in microseconds since 1970 (UTC).

    ``repeating`` are the traces that are not in force, since they repeat another one.
    """

    traces_since: int
    reviews_since: int
    repeating: frozenset[str] = frozenset()

    @classmethod
    def read(cls, traces: Table, reviews: Table) -> "ReviewableItems":
        """Read the tables as of their last refresh; RetryableError if the lake is unavailable."""
        return cls(
            _start_micros(complete_from(traces, ROWS_PART, TEXT_PART)),
            _start_micros(complete_from(reviews, ROWS_PART)),
            read_repeating_traces(traces) if has_assembled_rows(traces) else frozenset(),
        )

    def filter_queue(self, queue: ReviewQueue) -> ReviewQueue:
        """Return the queue with the reviewable items, and the number of those without a trace."""
        events = queue.events
        arrived = [i for i in queue.items if events[i.trace_id].trace_started_at is not None]
        return replace(
            queue,
            items=[item for item in arrived if self._is_reviewable(item, queue)],
            without_trace=len(queue.items) - len(arrived),
        )

    def _is_reviewable(self, item: QueueItem, queue: ReviewQueue) -> bool:
        if item.trace_id in self.repeating:
            return False
        started = queue.events[item.trace_id].trace_started_at
        since = item.opened_at if started is None else started
        return since >= self.traces_since and item.opened_at >= self.reviews_since


def read_routed_events(labels: Table, reviewed: Collection[str]) -> list[LabelEvent]:
    """Return the label events that the queue depends on, as of the table's last refresh.

    ``reviewed`` are the traces that have reviews: they count whatever their label is now.
    """
    routed = {
        trace_id
        for batch in labels.batches(("trace_id", "route"))
        for trace_id in batch.filter(_is_routed(batch)).column("trace_id").to_pylist()
    }
    return read_trace_events(labels, routed.union(reviewed))


def read_trace_events(labels: Table, trace_ids: Collection[str]) -> list[LabelEvent]:
    """Return, for each of these traces, the event in force and the first that went to reviewers."""
    ids = pa.array(list(trace_ids), pa.string())
    parts = [
        batch.filter(pc.is_in(batch.column("trace_id"), value_set=ids))
        for batch in labels.batches(_COLUMNS)
    ]
    rows = pa.Table.from_batches(parts) if parts else None
    if rows is None or not len(rows):
        return []
    rank = [(name, "descending") for name in ("revision", "decided_at", "label_event_id")]
    in_force = _first_of_each(rows.sort_by(rank))
    first = _first_of_each(
        rows.filter(_is_routed(rows)).sort_by([("decided_at", "ascending"), *rank])
    )
    return [_event(row) for part in (first, in_force) for row in _to_dicts(part)]


def _start_micros(day: date | None) -> int:
    return 0 if day is None else day_start_micros(day)


def _is_routed(rows: Any) -> Any:
    return pc.not_equal(rows["route"], "auto")


def _first_of_each(rows: pa.Table) -> pa.Table:
    if not len(rows):
        return rows
    codes = rows["trace_id"].combine_chunks().dictionary_encode().indices
    _, first = np.unique(codes.to_numpy(), return_index=True)
    return rows.take(pa.array(first))


def _to_dicts(rows: pa.Table) -> list[dict[str, Any]]:
    for name in _TIMES:
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, rows[name].cast(pa.int64()))
    dicts: list[dict[str, Any]] = rows.to_pylist()
    return dicts


def _event(row: dict[str, Any]) -> LabelEvent:
    return msgspec.convert({**row, "segments": dict(row["segments"])}, LabelEvent)
