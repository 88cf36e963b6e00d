"""Assembles one trace from its rows in ``otel_spans``."""

from dataclasses import dataclass, field, replace
from typing import Final

from assembly.trace_rows import TraceRows
from otel.assembly import AssembledTrace, assemble_trace
from otel.span_view import ExtraFields
from otel.stored_spans import read_stored_rows

SPANS_LEFT_OUT: Final = "spans_left_out"


@dataclass(frozen=True)
class TraceAssembler:
    """Assembles traces from stored rows; ``extra`` names further attributes of the application."""

    extra: ExtraFields = field(default_factory=dict)

    def assemble(self, trace_id: str, stored: TraceRows) -> AssembledTrace:
        """Return the row of a trace from all its rows."""
        signals = read_stored_rows(stored.rows)
        assembled = assemble_trace(trace_id, signals.spans, signals.logs, self.extra)
        if not stored.cut:
            return assembled
        reasons = tuple(sorted({*assembled.incomplete, SPANS_LEFT_OUT}))
        return replace(assembled, incomplete=reasons if assembled.row else ())
