"""Decodes Phoenix's annotations (``/v1/span_annotations``, …), and the spans that it exports.

An exported span has its ids in ``context``, or under ``context.trace_id`` as a column of a data
frame; its attributes are nested or have names with dots.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from otel.json_documents import content_digest
from otel.native.native_json import (
    BodyOfOne,
    NativeBody,
    parse_body,
    read_optional,
    read_target,
    read_time,
    require_text,
)
from otel.otlp_values import InvalidItemError
from otel.signals import (
    DecodedSignals,
    OtelSpan,
    ProductFeedback,
    SpanEvent,
    SpanStatus,
    TargetKind,
    refuse_signals,
)
from otel.sources import MAX_PATH

_TARGETS: Final[tuple[tuple[str, TargetKind], ...]] = (
    ("span_id", "span"),
    ("trace_id", "trace"),
    ("session_id", "session"),
)


_ANNOTATION: Final = BodyOfOne(lambda item: {"data": [item]})


def decode_phoenix(value: bytes) -> DecodedSignals:
    """Return the annotations of a request."""
    document = parse_body(value)
    items = document.get("data") if isinstance(document, dict) else document
    if items is None and isinstance(document, dict):
        items = [document] if _is_span(document) or "name" in document else None
    if not isinstance(items, list):
        return refuse_signals("not a Phoenix body: no list of annotations in `data`, and no span")
    body = NativeBody(spans=_ANNOTATION, feedback=_ANNOTATION)
    for item in items:
        if isinstance(item, dict) and _is_span(item):
            body.add_spans([item], _read_span)
        else:
            body.add_feedback([item], _read_annotation)
    return body.result()


def _is_span(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("context"), dict) or "context.span_id" in item


def _read_span(item: Mapping[str, Any], index: int) -> OtelSpan:
    """Return an exported span. Raises InvalidItemError if it has no ids."""
    context = item.get("context")
    ids = context if isinstance(context, dict) else {
        name: item.get(f"context.{name}") for name in ("trace_id", "span_id")
    }  # fmt: skip
    attributes = dict(_flatten(item.get("attributes")))
    attributes |= {
        name: value
        for column, columns in item.items()
        if column.startswith("attributes.") and columns is not None
        for name, value in _flatten({column.removeprefix("attributes."): columns})
    }
    kind = read_optional(item, "span_kind")
    if kind and kind.upper() != "UNKNOWN":
        attributes.setdefault("openinference.span.kind", kind)
    failed = str(item.get("status_code")).upper() == "ERROR"
    return OtelSpan(
        trace_id=require_text(ids, "trace_id"),
        span_id=require_text(ids, "span_id"),
        parent_span_id=read_optional(item, "parent_id"),
        name=read_optional(item, "name") or "",
        start_ns=read_time(item.get("start_time")),
        end_ns=read_time(item.get("end_time")),
        attributes=attributes,
        scope="openinference.instrumentation.phoenix",
        status=SpanStatus(2 if failed else 0, read_optional(item, "status_message") or ""),
        events=tuple(_read_events(item.get("events"))),
        index=index,
    )


def _read_events(events: Any) -> Iterator[SpanEvent]:
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            attributes = event.get("attributes")
            time = read_time(event.get("timestamp"))
            name = read_optional(event, "name") or ""
            yield SpanEvent(name, time, attributes if isinstance(attributes, dict) else {})


def _flatten(value: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield attributes with their full names: those of nested objects, and of lists of objects."""
    children: Iterable[tuple[Any, Any]] | None = None
    if isinstance(value, dict) and depth < MAX_PATH and not _is_document(prefix):
        children = value.items()
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        children = enumerate(value) if depth < MAX_PATH else None
    if children is None:
        if prefix:
            yield prefix, value
        return
    for key, child in children:
        yield from _flatten(child, f"{prefix}.{key}" if prefix else str(key), depth + 1)


def _is_document(name: str) -> bool:
    """Return whether an attribute holds a JSON document, which has no names with dots."""
    return name in {"metadata", "input.value", "output.value", "llm.invocation_parameters"}


def _read_annotation(item: Mapping[str, Any], index: int) -> ProductFeedback:
    result = item.get("result")
    result = result if isinstance(result, dict) else {}
    target = read_target(item, _TARGETS)
    if target is None:
        raise InvalidItemError("the annotation names no span, trace or session")
    score = result.get("score")
    return ProductFeedback(
        feedback_id=read_optional(item, "id") or f"phoenix-{content_digest(item)}",
        name=require_text(item, "name"),
        value=score if score is not None else result.get("label"),
        comment=read_optional(result, "explanation"),
        target_kind=target[0],
        target_id=target[1],
        time_ns=read_time(item.get("created_at")),
        user_id=read_optional(item, "user_id"),
        source=str(item.get("annotator_kind", "")),
        index=index,
    )
