"""Collects decoded records by trace. Log records of no trace, and of no span, are left out."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from otel.signals import DecodedSignals, OtelLog, OtelSpan


@dataclass
class TraceSignals:
    """The spans and logs of one trace, as they came."""

    spans: list[OtelSpan] = field(default_factory=list)
    logs: list[OtelLog] = field(default_factory=list)


def group_by_trace(records: Iterable[DecodedSignals]) -> dict[str, TraceSignals]:
    """Return the spans and logs of all records by trace id."""
    traces: dict[str, TraceSignals] = {}
    for record in records:
        for span in record.spans:
            traces.setdefault(span.trace_id, TraceSignals()).spans.append(span)
        for log in record.logs:
            if log.trace_id is not None:
                traces.setdefault(log.trace_id, TraceSignals()).logs.append(log)
    return traces
