"""A trace of Langfuse's ingestion API ends with its last observation."""

import json
from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest

from assembly.span_arrivals import find_arrivals
from otel.assembly import assemble_trace
from otel.native.langfuse import decode_langfuse
from otel.stored_spans import to_stored_spans
from schemas.arrow import TABLES

COLUMNS = (
    "record", "format", "trace_id", "parent_span_id", "started_at", "end_time_unix_nano"
)  # fmt: skip
AT = "2026-11-21T00:43:5{}Z"
TRACE_BODY = {"type": "trace-create", "body": {"id": "t", "timestamp": AT.format(1)}}


def observation(kind: str, number: int, **body: Any) -> dict[str, Any]:
    """Return the event of an observation that starts at a second."""
    values = {"id": f"o-{number}", "traceId": "t", "startTime": AT.format(number), **body}
    return {"type": f"{kind}-create", "body": values}


DONE = observation("generation", 2, endTime=AT.format(4), input="q", output="a")
EVENT = observation("event", 3)
OPEN = observation("span", 5)
OPEN_END = {"type": "span-update", "body": {"id": "o-5", "traceId": "t", "endTime": AT.format(7)}}


def assemble(*events: dict[str, Any]) -> tuple[float | None, bool]:
    """Return the latency of the row, and whether its root has no end."""
    decoded = decode_langfuse(json.dumps({"batch": events}).encode(), "/api/public/ingestion")
    trace = assemble_trace("t", decoded.spans)
    assert trace.row is not None
    return trace.row["latency_ms"], "root_not_ended" in trace.incomplete


def test_the_last_end_of_an_observation_is_that_of_the_trace() -> None:
    """In any order; an event is a point in time, and is never open."""
    for events in permutations((TRACE_BODY, DONE, EVENT)):
        assert assemble(*events) == (3000.0, False)
    assert assemble(TRACE_BODY, DONE, OPEN, OPEN_END) == (6000.0, False)


def test_an_open_observation_keeps_the_trace_open() -> None:
    """The row says that its root has no end."""
    assert assemble(TRACE_BODY, DONE, OPEN)[1]


@pytest.mark.parametrize(
    ("events", "ended"),
    [([TRACE_BODY, DONE], True), ([TRACE_BODY, OPEN], False), ([TRACE_BODY], False),
     ([observation("span", 6, parentObservationId="o-5", endTime=AT.format(7))], False)],
)  # fmt: skip
def test_an_ended_observation_below_the_trace_ends_the_wait(
    events: list[dict[str, Any]], ended: bool
) -> None:
    """Not one that lies deeper."""
    decoded = decode_langfuse(json.dumps({"batch": events}).encode(), "/api/public/ingestion")
    stored = to_stored_spans(decoded, "langfuse", fallback_us=10**15, most_bytes=2**20).rows
    rows = pa.table(
        {name: [getattr(row, name) for _, row in stored] for name in COLUMNS}
        | {"_ingested_at": [10**15] * len(stored)},
        schema=pa.schema([TABLES["otel_spans"].arrow.field(n) for n in (*COLUMNS, "_ingested_at")]),
    )
    (arrival,) = find_arrivals(rows, version=0, file=0)
    assert arrival.ended is ended
