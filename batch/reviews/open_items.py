"""The open items of the review queue, from the table ``labels``.

Few columns are read, a part at a time, and of each trace that was ever routed to reviewers only two
rows are kept: the one that routed it there first, and the one in force. So memory grows with the
traces that went to reviewers, about 2 KB each, not with the labels.
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.tables import Table
from schemas.records import LabelEvent

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


def read_routed_events(labels: Table, reviewed: Collection[str]) -> list[LabelEvent]:
    """Return the label events that the queue depends on, as of the table's last refresh.

    ``reviewed`` are the traces that have reviews: they count, whatever became of their label.
    """
    routed = {
        trace_id
        for batch in labels.batches(("trace_id", "route"))
        for trace_id in batch.filter(_to_reviewers(batch)).column("trace_id").to_pylist()
    }
    return read_trace_events(labels, routed.union(reviewed))


def read_trace_events(labels: Table, trace_ids: Collection[str]) -> list[LabelEvent]:
    """Return, of each of these traces, the event in force and the first that went to reviewers."""
    wanted = pa.array(list(trace_ids), pa.string())
    parts = [
        batch.filter(pc.is_in(batch.column("trace_id"), value_set=wanted))
        for batch in labels.batches(_COLUMNS)
    ]
    rows = pa.Table.from_batches(parts) if parts else None
    if rows is None or not len(rows):
        return []
    rank = [(name, "descending") for name in ("revision", "decided_at", "label_event_id")]
    last = _first_of_each(rows.sort_by(rank))
    first = _first_of_each(
        rows.filter(_to_reviewers(rows)).sort_by([("decided_at", "ascending"), *rank])
    )
    return [_event(row) for part in (first, last) for row in _plain(part)]


def _to_reviewers(rows: Any) -> Any:
    return pc.not_equal(rows["route"], "auto")


def _first_of_each(rows: pa.Table) -> pa.Table:
    if not len(rows):
        return rows
    codes = rows["trace_id"].combine_chunks().dictionary_encode().indices
    _, first = np.unique(codes.to_numpy(), return_index=True)
    return rows.take(pa.array(first))


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    for name in _TIMES:
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, rows[name].cast(pa.int64()))
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def _event(row: dict[str, Any]) -> LabelEvent:
    return msgspec.convert({**row, "segments": dict(row["segments"])}, LabelEvent)
