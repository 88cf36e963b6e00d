"""What a reviewer sees of a trace: the redacted conversation, what people said of it, signals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from labels.review_queue import QueueItem
from lake.parquet import PARTITION_COLUMN
from lake.tables import Table
from schemas.arrow import TIMESTAMP_US

_TRACE: Final = (
    "trace_id",
    "started_at",
    "app",
    "status",
    "error_type",
    "error_message",
    "messages",
    "response",
    "finish_reason",
    "retrieved",
    "tool_calls",
    "segments",
    "_offset",
)
_FEEDBACK: Final = (
    "trace_id",
    "feedback_id",
    "kind",
    "value",
    "comment",
    "corrected_response",
    "actor",
    "occurred_at",
)
_LABEL: Final = ("trace_id", "label_event_id", "label", "p_fail", "evidence", "trace_started_at")
_DAY: Final = timedelta(days=1)

ContextRow = Mapping[str, Any]


@dataclass(slots=True)
class ReviewContext:
    """What is known of one item. ``trace`` is None where the trace itself never came."""

    label: ContextRow
    trace: ContextRow | None = None
    feedback: list[ContextRow] = field(default_factory=list)


def read_review_contexts(
    items: Sequence[QueueItem], labels: Table, traces: Table, feedback: Table
) -> dict[str, ReviewContext]:
    """Return what there is to see of each item, by trace id, as of the tables' last refresh.

    Label events and feedback are found by reading through few columns; of conversations only the
    row groups are read that hold the times at which these traces began.
    """
    ids = pa.array([item.trace_id for item in items], pa.string())
    events = {item.trace_id: item.label_event_id for item in items}
    sights = {
        row["trace_id"]: ReviewContext(row)
        for row in _rows(labels, _LABEL, ids, None)
        if row["label_event_id"] == events[row["trace_id"]]
    }
    starts = [s.label["trace_started_at"] for s in sights.values()]
    known = sorted({start for start in starts if start is not None})
    for row in _rows(traces, _TRACE, ids, _begun(known)) if known else []:
        sight = sights.get(row["trace_id"])
        if sight and (sight.trace is None or row["_offset"] < sight.trace["_offset"]):
            sight.trace = row
    said: dict[str, list[ContextRow]] = defaultdict(list)
    for row in _rows(feedback, _FEEDBACK, ids, _since(known, all_known=len(known) == len(starts))):
        said[row["trace_id"]].append(row)
    for trace_id, rows in said.items():
        if trace_id in sights:
            sights[trace_id].feedback = sorted(
                rows, key=lambda row: (row["occurred_at"], row["feedback_id"])
            )
    return sights


def _rows(
    table: Table, columns: Sequence[str], ids: pa.Array, where: pc.Expression | None
) -> list[dict[str, Any]]:
    return [
        row
        for batch in table.batches(columns, where)
        for row in batch.filter(pc.is_in(batch.column("trace_id"), value_set=ids)).to_pylist()
    ]


def _begun(starts: Sequence[datetime]) -> pc.Expression:
    """Return the condition that a trace began at one of these moments, and on one of their days."""
    days = pa.array(sorted({_day(start) for start in starts}), pa.date32())
    began = pc.field("started_at")
    within = (began >= pa.scalar(starts[0], TIMESTAMP_US)) & (
        began <= pa.scalar(starts[-1], TIMESTAMP_US)
    )
    moments = pa.array(list(starts), TIMESTAMP_US)
    return pc.field(PARTITION_COLUMN).isin(days) & within & began.isin(moments)


def _since(starts: Sequence[datetime], *, all_known: bool) -> pc.Expression | None:
    """Return the condition that feedback is not from long before the first of these traces."""
    if not starts or not all_known:
        return None
    return pc.field(PARTITION_COLUMN) >= _day(starts[0]) - 2 * _DAY


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
