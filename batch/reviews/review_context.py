"""What a reviewer sees of a trace: the redacted conversation, its feedback and its label."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.assembled_rows import has_assembled_rows, read_first_rows
from labels.review_queue import QueueItem
from lake.parquet import PARTITION_COLUMN
from lake.tables import Table
from schemas.arrow import TIMESTAMP_US
from schemas.trace_in_force import IN_FORCE_COLUMNS, choose_in_force

_TRACE: Final = (
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
    *IN_FORCE_COLUMNS,
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
    """The context of one item. ``trace`` is None if the trace has no row in force."""

    label: ContextRow
    trace: ContextRow | None = None
    feedback: list[ContextRow] = field(default_factory=list)


def read_review_contexts(
    items: Sequence[QueueItem], labels: Table, traces: Table, feedback: Table
) -> dict[str, ReviewContext]:
    """Return the context of each item by trace id, as of the tables' last refresh.

    Label events and feedback are found by scanning few columns. Conversations are those in force;
    they are read only from row groups that contain the start times of these traces.
    """
    ids = pa.array([item.trace_id for item in items], pa.string())
    events = {item.trace_id: item.label_event_id for item in items}
    contexts = {
        row["trace_id"]: ReviewContext(row)
        for row in _rows(labels, _LABEL, ids, None)
        if row["label_event_id"] == events[row["trace_id"]]
    }
    starts = [context.label["trace_started_at"] for context in contexts.values()]
    known_starts = sorted({start for start in starts if start is not None})
    for trace_id, row in _traces_in_force(traces, ids, known_starts).items():
        if trace_id in contexts:
            contexts[trace_id].trace = row
    feedback_rows: dict[str, list[ContextRow]] = defaultdict(list)
    since = _feedback_since(known_starts, complete=len(known_starts) == len(starts))
    for row in _rows(feedback, _FEEDBACK, ids, since):
        feedback_rows[row["trace_id"]].append(row)
    for trace_id, rows in feedback_rows.items():
        if trace_id in contexts:
            contexts[trace_id].feedback = sorted(
                rows, key=lambda row: (row["occurred_at"], row["feedback_id"])
            )
    return contexts


def _traces_in_force(
    traces: Table, ids: pa.Array, starts: Sequence[datetime]
) -> dict[str, ContextRow]:
    """Return the row in force of each trace; ``starts`` are those by which labels were decided."""
    if starts and has_assembled_rows(traces):  # the row in force may have begun at another time
        first, last = _day(starts[0]) - 2 * _DAY, _day(starts[-1]) + 2 * _DAY
        near = (pc.field(PARTITION_COLUMN) >= first) & (pc.field(PARTITION_COLUMN) <= last)
        counting = read_first_rows(traces, ids.to_pylist(), ("started_at",), near)
        starts = sorted({row["started_at"] for row in counting.values()})
    rows: dict[str, list[ContextRow]] = defaultdict(list)
    for row in _rows(traces, _TRACE, ids, _started_at(starts)) if starts else []:
        rows[row["trace_id"]].append(row)
    chosen = {trace_id: choose_in_force(of_trace) for trace_id, of_trace in rows.items()}
    return {trace_id: row for trace_id, row in chosen.items() if row is not None}


def _rows(
    table: Table, columns: Sequence[str], ids: pa.Array, where: pc.Expression | None
) -> list[dict[str, Any]]:
    return [
        row
        for batch in table.batches(columns, where)
        for row in batch.filter(pc.is_in(batch.column("trace_id"), value_set=ids)).to_pylist()
    ]


def _started_at(starts: Sequence[datetime]) -> pc.Expression:
    """Return the condition that a trace started at one of these moments."""
    days = pa.array(sorted({_day(start) for start in starts}), pa.date32())
    started = pc.field("started_at")
    within = (started >= pa.scalar(starts[0], TIMESTAMP_US)) & (
        started <= pa.scalar(starts[-1], TIMESTAMP_US)
    )
    moments = pa.array(list(starts), TIMESTAMP_US)
    return pc.field(PARTITION_COLUMN).isin(days) & within & started.isin(moments)


def _feedback_since(starts: Sequence[datetime], *, complete: bool) -> pc.Expression | None:
    """Return the condition that feedback is not from long before the first of these traces.

    ``complete``: the starts of all traces are known; otherwise there is no condition.
    """
    if not starts or not complete:
        return None
    return pc.field(PARTITION_COLUMN) >= _day(starts[0]) - 2 * _DAY


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
