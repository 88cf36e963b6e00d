"""Decodes OTLP protobuf requests: a whole request at once, or item by item if that fails."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel.otlp_envelope import Envelope
from otel.otlp_values import InvalidItemError, convert_log, convert_resource, convert_span
from otel.signals import (
    Attributes,
    DecodedSignals,
    OtelLog,
    OtelSpan,
    RejectedItem,
    refuse_signals,
)

Parsed = TypeVar("Parsed", bound=Message)


@dataclass(frozen=True, slots=True)
class _Placed:
    """An item (None if it cannot be parsed) with its resource and its scope, read and as sent."""

    item: Any
    resource: Attributes
    scope: InstrumentationScope
    sent: Callable[[], tuple[bytes, bytes, bytes]]
    """Returns the bytes of the resource, of the scope and of the item."""


def decode_protobuf(value: bytes) -> DecodedSignals:
    """Return the spans or log records of an OTLP request; both kinds look alike from outside.

    Items that break a rule are rejected alone. A request that cannot be separated into items is
    refused whole.
    """
    traces = _parse(ExportTraceServiceRequest, value)
    timed = traces is not None and _holds_spans(traces, _has_time)
    if not timed and _holds_metrics(value):
        return refuse_signals("not an OTLP request of traces or logs: it holds metrics")
    if traces is not None and (timed or _holds_spans(traces, _looks_like_span)):
        return _convert(_walk_traces(traces), convert_span, "span")
    logs = _parse(ExportLogsServiceRequest, value)
    if logs is not None and _holds_logs(logs):
        return _convert(_walk_logs(logs), convert_log, "log record")
    return _decode_items(value)


def _decode_items(value: bytes) -> DecodedSignals:
    envelope = _parse(Envelope, value)
    if envelope is None:
        return refuse_signals("not an OTLP request: the protobuf message cannot be parsed")
    items = [bytes(i) for r in envelope.resources for s in r.scopes for i in s.items]
    if not items:
        return refuse_signals("not an OTLP request of traces or logs: it holds no items")
    spans = sum(_is_span(item) for item in items)
    logs = sum(_is_log(item) for item in items)
    if not spans and not logs:
        return refuse_signals("not an OTLP request of traces or logs: no item can be parsed")
    if spans >= logs:
        return _convert(_walk_items(envelope, Span), convert_span, "span")
    return _convert(_walk_items(envelope, LogRecord), convert_log, "log record")


def _convert(
    placed: Iterator[_Placed], convert: Callable[..., OtelSpan | OtelLog], noun: str
) -> DecodedSignals:
    items: list[Any] = []
    rejected = []
    for index, each in enumerate(placed):
        try:
            items.append(_convert_item(each, convert, noun, index))
        except InvalidItemError as error:
            rejected.append(RejectedItem(index, str(error), partial(_request_of_one, each)))
    spans = tuple(item for item in items if isinstance(item, OtelSpan))
    logs = tuple(item for item in items if isinstance(item, OtelLog))
    return DecodedSignals(spans=spans, logs=logs, rejected=tuple(rejected))


def _convert_item(
    placed: _Placed, convert: Callable[..., OtelSpan | OtelLog], noun: str, index: int
) -> OtelSpan | OtelLog:
    if placed.item is None:
        raise InvalidItemError(f"the {noun} cannot be parsed")
    return convert(placed.item, placed.resource, placed.scope, index)


def _request_of_one(placed: _Placed) -> bytes:
    """Return a request that holds one item alone."""
    resource, scope, item = placed.sent()
    request: bytes = Envelope(
        resources=[{"resource": resource, "scopes": [{"scope": scope, "items": [item]}]}]
    ).SerializeToString()
    return request


def _as_sent(resource: bytes, scope: bytes, item: bytes) -> tuple[bytes, bytes, bytes]:
    return resource, scope, item


def _sent(resource: Message, scope: Message, item: Message) -> tuple[bytes, bytes, bytes]:
    return resource.SerializeToString(), scope.SerializeToString(), item.SerializeToString()


def _walk_traces(request: ExportTraceServiceRequest) -> Iterator[_Placed]:
    for group in request.resource_spans:
        resource = convert_resource(group.resource)
        for scoped in group.scope_spans:
            for span in scoped.spans:
                sent = partial(_sent, group.resource, scoped.scope, span)
                yield _Placed(span, resource, scoped.scope, sent)


def _walk_logs(request: ExportLogsServiceRequest) -> Iterator[_Placed]:
    for group in request.resource_logs:
        resource = convert_resource(group.resource)
        for scoped in group.scope_logs:
            for log in scoped.log_records:
                sent = partial(_sent, group.resource, scoped.scope, log)
                yield _Placed(log, resource, scoped.scope, sent)


def _walk_items(envelope: Any, kind: type[Message]) -> Iterator[_Placed]:
    for group in envelope.resources:
        parsed = _parse(Resource, group.resource)
        resource = {} if parsed is None else convert_resource(parsed)
        for scoped in group.scopes:
            scope = _parse(InstrumentationScope, scoped.scope) or InstrumentationScope()
            for item in scoped.items:
                sent = partial(_as_sent, group.resource, scoped.scope, item)
                yield _Placed(_parse(kind, item), resource, scope, sent)


def _holds_spans(request: ExportTraceServiceRequest, accepts: Callable[[Span], bool]) -> bool:
    return any(
        accepts(span)
        for group in request.resource_spans
        for scoped in group.scope_spans
        for span in scoped.spans[:1]
    )


def _holds_logs(request: ExportLogsServiceRequest) -> bool:
    return any(
        _looks_like_log(log)
        for group in request.resource_logs
        for scoped in group.scope_logs
        for log in scoped.log_records[:1]
    )


def _holds_metrics(value: bytes) -> bool:
    """Return whether a request without a span that has a time is one of metrics.

    The name and the description of a metric stand where a span has its ids, and its data are other
    messages. The times of a span, and the first field of a log record, are unknown to a metric.
    """
    request = _parse(ExportMetricsServiceRequest, value)
    if request is None:
        return False
    metrics = [
        metric
        for group in request.resource_metrics
        for scoped in group.scope_metrics
        for metric in scoped.metrics
    ]
    has_data = any(metric.WhichOneof("data") is not None for metric in metrics)
    return has_data and all(metric.name and not len(UnknownFieldSet(metric)) for metric in metrics)


def _has_time(span: Span) -> bool:
    return bool(span.start_time_unix_nano or span.end_time_unix_nano)


def _is_span(item: bytes) -> bool:
    span = _parse(Span, item)
    return span is not None and _looks_like_span(span)


def _is_log(item: bytes) -> bool:
    log = _parse(LogRecord, item)
    return log is not None and _looks_like_log(log)


def _looks_like_span(span: Span) -> bool:
    """Return whether a parsed item is a span: fields 1 and 7 have other types in a log record."""
    return bool(span.trace_id) or _has_time(span)


def _looks_like_log(log: LogRecord) -> bool:
    """Return whether a parsed item is a log record: fields 1 and 11 have other types in a span."""
    return bool(log.time_unix_nano or log.observed_time_unix_nano or log.severity_number)


def _parse(kind: Callable[[], Parsed], value: bytes) -> Parsed | None:
    message = kind()
    try:
        message.ParseFromString(value)
    except (DecodeError, RecursionError):
        return None
    return message
