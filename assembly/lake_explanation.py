"""Explains one trace of the lake: which spans there are, and what they are assembled to."""

from dataclasses import dataclass
from datetime import date

from assembly.stored_traces import StoredTrace, read_stored_traces
from assembly.trace_assembler import TraceAssembler
from assembly.trace_rows import find_trace_rows
from lake.tables import Lake
from otel.assembly import AssembledTrace
from otel.native.mlflow import trace_id_of
from schemas.arrow import SPANS_TABLE


@dataclass(frozen=True, slots=True)
class LakeExplanation:
    """The trace as its spans give it now, the row in the lake, and where its spans lie."""

    trace: AssembledTrace
    stored: StoredTrace | None
    rows: int
    places: tuple[str, ...]


def explain_trace(
    lake: Lake, trace_id: str, assembler: TraceAssembler, days: tuple[date, date] | None = None
) -> LakeExplanation | None:
    """Return the explanation of a trace, None if the lake has no span of it.

    ``days`` are the days of its spans, None for all. Raises RetryableError if the lake cannot be
    read.
    """
    trace_id = trace_id_of(trace_id)
    spans, traces = lake.table(SPANS_TABLE), lake.table("traces")
    spans.refresh()
    traces.refresh()
    found = find_trace_rows(spans, [trace_id], days).get(trace_id)
    if found is None:
        return None
    places = sorted({f"{row['_topic']}/{row['_partition']}/{row['_offset']}" for row in found.rows})
    return LakeExplanation(
        trace=assembler.assemble(trace_id, found),
        stored=read_stored_traces(traces, [trace_id], days).get(trace_id),
        rows=len(found.rows),
        places=tuple(places),
    )
