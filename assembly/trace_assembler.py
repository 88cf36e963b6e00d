"""Assembles one trace from its rows in ``otel_spans``."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from assembly.trace_rows import SpanRows, StoredRow
from otel.assembly import AssembledTrace, assemble_trace
from otel.assembly_rules import DEFAULT_RULES, AssemblyRules
from otel.signals import OtelLog, OtelSpan
from otel.stored_spans import from_stored_span

SPANS_LEFT_OUT: Final = "spans_left_out"
SPANS_UNREADABLE: Final = "spans_unreadable"


@dataclass(frozen=True)
class TraceAssembler:
    """Assembles traces from stored rows."""

    rules: AssemblyRules = DEFAULT_RULES

    def assemble(self, trace_id: str, stored: SpanRows) -> AssembledTrace:
        """Return the row of a trace from all its rows."""
        spans, logs, unreadable = read_signals(stored.rows)
        assembled = assemble_trace(trace_id, spans, logs, self.rules)
        reasons = {*assembled.incomplete}
        reasons |= {SPANS_LEFT_OUT} if stored.cut else set()
        reasons |= {SPANS_UNREADABLE} if unreadable else set()
        return replace(
            assembled,
            incomplete=tuple(sorted(reasons)) if assembled.row else (),
            taught=tuple(sorted({row["taught"] for row in stored.rows if row.get("taught")})),
        )


def read_signals(rows: Iterable[StoredRow]) -> tuple[list[OtelSpan], list[OtelLog], int]:
    """Return the spans and log records in rows, and how many rows cannot be read."""
    spans: list[OtelSpan] = []
    logs: list[OtelLog] = []
    unreadable = 0
    for row in rows:
        try:
            item = from_stored_span(row)
        except (ValueError, KeyError, TypeError):
            unreadable += 1
            continue
        if isinstance(item, OtelSpan):
            spans.append(item)
        elif isinstance(item, OtelLog):
            logs.append(item)
    return spans, logs, unreadable
