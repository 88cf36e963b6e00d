"""Reads what a file of ``otel_spans`` brings: of each trace how many rows, when, and its root."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.tables import Table
from otel.open_traces import TraceArrival
from schemas.arrow import SPANS_TABLE, TABLES

_COLUMNS: Final = (
    "record",
    "format",
    "trace_id",
    "parent_span_id",
    "started_at",
    "end_time_unix_nano",
    "_ingested_at",
)
_AGGREGATES: Final = (
    "trace_id",
    "arrived_count",
    "arrived_min",
    "arrived_max",
    "start_min",
    "ended_any",
    "complete_any",
)
_FEEDBACK: Final = "feedback"
_COMPLETE_FORMAT: Final = "mlflow"
"""A record of this format holds a whole trace and is final."""
_PARTS_END_FORMAT: Final = "langfuse"
_ROOT_PREFIX: Final = "trace:"
"""The spans of this format name the trace itself so, after this prefix, as their root."""


def read_arrival_columns(table: Table, path: str) -> pa.Table:
    """Return the columns of a file that decide when its traces are assembled.

    Raises RetryableError or FatalError if the store cannot be read.
    """
    schema = pa.schema([TABLES[SPANS_TABLE].arrow.field(name) for name in _COLUMNS])
    rows = pq.read_table(pa.BufferReader(table.files.get(path)), columns=list(_COLUMNS))
    return rows.cast(schema)


def find_arrivals(
    rows: pa.Table, *, version: int, file: int, since_us: int | None = None
) -> Iterator[TraceArrival]:
    """Yield what rows bring of each trace; ``rows`` as from `read_arrival_columns`.

    Only rows that arrived at ``since_us`` or later count, if it is given. Feedback is not counted:
    it belongs to no trace before it is resolved.
    """
    of_trace = pc.and_(pc.is_valid(rows["trace_id"]), pc.not_equal(rows["record"], _FEEDBACK))
    arrived = rows["_ingested_at"].cast(pa.int64())
    if since_us is not None:
        of_trace = pc.and_(of_trace, pc.greater_equal(arrived, since_us))
    spans = pc.is_in(rows["record"], value_set=pa.array(["span", "run"]))
    has_end = pc.greater(pc.fill_null(rows["end_time_unix_nano"], 0), 0)
    # A native trace of Langfuse has no end of its own: an observation just below it, with an end,
    # is its sign. Where another one is still open, what comes later makes a revision.
    below_root = pc.equal(
        rows["parent_span_id"], pc.binary_join_element_wise(_ROOT_PREFIX, rows["trace_id"], "")
    )
    of_native = pc.and_(pc.equal(rows["format"], _PARTS_END_FORMAT), below_root)
    is_root = pc.or_(
        pc.is_null(rows["parent_span_id"]), pc.fill_null(of_native, pa.scalar(value=False))
    )
    facts = {
        "trace_id": rows["trace_id"],
        "arrived": arrived,
        "start": rows["started_at"].cast(pa.int64()),
        "ended": pc.and_(pc.and_(spans, is_root), has_end),
        "complete": pc.equal(rows["format"], _COMPLETE_FORMAT),
    }
    groups = (
        pa.table(facts)
        .filter(of_trace)
        .group_by("trace_id")
        .aggregate(
            [
                ("arrived", "count"),
                ("arrived", "min"),
                ("arrived", "max"),
                ("start", "min"),
                ("ended", "any"),
                ("complete", "any"),
            ]
        )
    )
    columns = [groups[name].to_pylist() for name in _AGGREGATES]
    for trace_id, count, first, last, start, ended, complete in zip(*columns, strict=True):
        yield TraceArrival(trace_id, version, file, count, first, last, start, ended, complete)
