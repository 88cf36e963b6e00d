"""Makes spans, logs and OTLP requests for tests."""

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel.assembly import AssembledTrace, assemble_trace
from otel.signals import OtelLog, OtelSpan, SpanStatus

TRACE = "0af7651916cd43dd8448eb211c80319c"
START = 1_795_000_000_000_000_000
SECOND = 1_000_000_000


def span(number: int, parent: int | None = None, **parts: Any) -> OtelSpan:
    """Return a span that starts at its number, in seconds, and takes half a second."""
    status = SpanStatus(2, parts.pop("failed")) if "failed" in parts else SpanStatus()
    values: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_span_id": None if parent is None else f"{parent:016x}",
        "name": f"span {number}",
        "start_ns": START + number * SECOND,
        "end_ns": START + number * SECOND + SECOND // 2,
        "attributes": {},
        "status": status,
    }
    return OtelSpan(**values | parts)


def log(span_number: int, name: str, body: Any, time: int = 0, **parts: Any) -> OtelLog:
    """Return a log record of a span."""
    values: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": f"{span_number:016x}",
        "event_name": name,
        "time_ns": START + time,
        "body": body,
        "attributes": {},
    }
    return OtelLog(**values | parts)


def chat(number: int, parent: int | None = None, **parts: Any) -> OtelSpan:
    """Return a model call of the attributes era: ``said``, ``answer``, and more attributes."""
    said, answer = parts.pop("said", "hello"), parts.pop("answer", "hi")
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.input.messages": messages(("user", said)),
        **({"gen_ai.output.messages": messages(("assistant", answer))} if answer else {}),
        **parts.pop("attributes", {}),
    }
    return span(number, parent, attributes=attributes, **parts)


def messages(*pairs: tuple[str, str]) -> str:
    """Return messages in the form of the semantic conventions, as JSON."""
    return json.dumps(
        [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in pairs]
    )


def assemble(*spans: OtelSpan, logs: tuple[OtelLog, ...] = ()) -> AssembledTrace:
    """Return the assembled trace of some spans."""
    return assemble_trace(TRACE, spans, logs)


def row_of(*spans: OtelSpan, logs: tuple[OtelLog, ...] = ()) -> dict[str, Any]:
    """Return the row of a trace that has one."""
    row = assemble(*spans, logs=logs).row
    assert row is not None
    return dict(row)


def request(*names: str, **parts: Any) -> ExportTraceServiceRequest:
    """Return an OTLP request with a span of each name."""
    spans = [
        Span(
            trace_id=bytes.fromhex(TRACE),
            span_id=number.to_bytes(8, "big"),
            name=name,
            start_time_unix_nano=START,
            end_time_unix_nano=START + SECOND,
            attributes=[KeyValue(key="gen_ai.system", value=AnyValue(string_value="openai"))],
            **parts,
        )
        for number, name in enumerate(names, start=1)
    ]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    )
