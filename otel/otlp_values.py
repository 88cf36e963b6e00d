"""Converts the messages of opentelemetry-proto to spans and log records, and checks their ids."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel.signals import Attributes, OtelLog, OtelSpan, SpanEvent, SpanLink, SpanStatus
from schemas.records import SpanKind

_KINDS: Final[Mapping[int, SpanKind]] = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
    Span.SPAN_KIND_PRODUCER: "producer",
    Span.SPAN_KIND_CONSUMER: "consumer",
}


class InvalidItemError(ValueError):
    """One span or log record breaks a rule of OTLP. The message holds the rule only."""


def convert_span(
    span: Span, resource: Attributes, scope: InstrumentationScope, index: int
) -> OtelSpan:
    """Return a span of OTLP as a value.

    Raises InvalidItemError if its ids have a wrong length or are zero.
    """
    parent = span.parent_span_id
    if len(parent) not in {0, 8}:
        raise InvalidItemError(f"parent_span_id has {len(parent)} bytes, not 8")
    return OtelSpan(
        trace_id=_read_id(span.trace_id, 16, "trace_id"),
        span_id=_read_id(span.span_id, 8, "span_id"),
        parent_span_id=parent.hex() if any(parent) else None,
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=convert_attributes(span.attributes),
        resource=resource,
        scope=scope.name,
        status=SpanStatus(span.status.code, span.status.message),
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, convert_attributes(event.attributes))
            for event in span.events
        ),
        links=tuple(
            SpanLink(link.trace_id.hex(), link.span_id.hex(), convert_attributes(link.attributes))
            for link in span.links
        ),
        trace_state=span.trace_state,
        dropped_attributes=span.dropped_attributes_count,
        kind=_KINDS.get(span.kind),
        flags=span.flags,
        index=index,
    )


def convert_log(
    log: LogRecord, resource: Attributes, scope: InstrumentationScope, index: int
) -> OtelLog:
    """Return a log record of OTLP as a value. Its time is the observed time if it has no other.

    Raises InvalidItemError if its ids have a wrong length.
    """
    attributes = convert_attributes(log.attributes)
    return OtelLog(
        trace_id=_read_id(log.trace_id, 16, "trace_id") if any(log.trace_id) else None,
        span_id=_read_id(log.span_id, 8, "span_id") if any(log.span_id) else None,
        event_name=log.event_name or str(attributes.get("event.name", "")),
        time_ns=log.time_unix_nano or log.observed_time_unix_nano,
        body=convert_value(log.body),
        attributes=attributes,
        resource=resource,
        scope=scope.name,
        index=index,
    )


def convert_resource(resource: Resource) -> Attributes:
    """Return the attributes of a resource."""
    return convert_attributes(resource.attributes)


def convert_attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return the attributes as a dict; of a repeated key the last value counts."""
    return {pair.key: convert_value(pair.value) for pair in pairs}


def convert_value(value: AnyValue) -> Any:
    """Return an attribute value as JSON could hold it.

    Bytes that are UTF-8 become that text, so that redaction reads it; others become base64.
    """
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "kvlist_value":
        return convert_attributes(value.kvlist_value.values)
    if kind == "array_value":
        return [convert_value(item) for item in value.array_value.values]
    if kind == "bytes_value":
        return _read_bytes(value.bytes_value)
    return getattr(value, kind)


def _read_bytes(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii")


def _read_id(value: bytes, length: int, name: str) -> str:
    if len(value) != length:
        raise InvalidItemError(f"{name} has {len(value)} bytes, not {length}")
    if not any(value):
        raise InvalidItemError(f"{name} is zero")
    return value.hex()
