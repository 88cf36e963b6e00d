"""Decodes Langfuse's bodies: batches of the ingestion API, scores, and what it exports.

An export holds traces with their observations and scores, or each of these on its own.

Observations of the ingestion API are sent as ``create`` and ``update``; each gives a fragment of
one span.
"""

from collections.abc import Iterator, Mapping
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
    SpanStatus,
    TargetKind,
    refuse_signals,
)
from otel.span_tree import NATIVE_LANGFUSE

_TARGETS: Final[tuple[tuple[str, TargetKind], ...]] = (
    ("observationId", "span"),
    ("traceId", "trace"),
    ("sessionId", "session"),
)
_COPIED: Final = {
    "input": "langfuse.observation.input",
    "output": "langfuse.observation.output",
    "model": "langfuse.observation.model.name",
    "level": "langfuse.observation.level",
    "statusMessage": "langfuse.observation.status_message",
    "usageDetails": "langfuse.observation.usage_details",
    "usage": "langfuse.observation.usage_details",
    "costDetails": "langfuse.observation.cost_details",
    "promptName": "langfuse.observation.prompt.name",
    "promptVersion": "langfuse.observation.prompt.version",
    "environment": "langfuse.environment",
}
_TRACE_COPIED: Final = {
    "input": "langfuse.trace.input",
    "output": "langfuse.trace.output",
    "sessionId": "langfuse.session.id",
    "userId": "langfuse.user.id",
    "release": "langfuse.release",
    "version": "langfuse.version",
    "environment": "langfuse.environment",
}


_EVENT: Final = BodyOfOne(lambda event: {"batch": [event]})
_SCORE: Final = BodyOfOne(lambda score: [score])


def decode_langfuse(value: bytes, path: str) -> DecodedSignals:
    """Return the observations and scores of a request. ``path`` is the path of the HTTP call."""
    document = parse_body(value)
    if document is None:
        return refuse_signals("not a Langfuse body: the JSON document cannot be parsed")
    if "scores" in path:
        items = document if isinstance(document, list) else [document]
        return NativeBody(spans=_EVENT, feedback=_SCORE).add_feedback(items, _read_score).result()
    events = _read_events(document)
    if events is None:
        return refuse_signals("not a Langfuse body: no batch, scores, trace or observation")
    body = NativeBody(spans=_EVENT, feedback=_EVENT)
    for event in events:
        kind = str(event.get("type", "")) if isinstance(event, dict) else ""
        if kind.startswith("score"):
            body.add_feedback([event], _read_score_event)
        elif kind.startswith("trace"):
            body.add_spans([event], _read_trace)
        elif kind == "sdk-log":
            continue
        else:
            body.add_spans([event], _read_observation)
    return body.result()


def _read_events(document: Any) -> list[Any] | None:
    """Return the events of a batch, or those of an export; None if it is neither."""
    if isinstance(document, list):
        return [event for item in document for event in _read_listed(item)] or None
    if not isinstance(document, dict):
        return None
    batch = document.get("batch")
    return batch if isinstance(batch, list) else list(_read_export(document)) or None


def _read_listed(item: object) -> list[dict[str, Any]]:
    """Return the events of an item of an array: an exported trace or observation, else a score."""
    events = list(_read_export(item)) if isinstance(item, dict) else []
    return events or [{"type": "score", "body": item}]


def _read_export(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events that would have sent an exported trace, observation or score."""
    if "traceId" in document or ("sessionId" in document and "name" in document and (
        "value" in document or "stringValue" in document
    )):  # fmt: skip
        is_score = "startTime" not in document
        yield {"type": "score" if is_score else "observation", "body": dict(document)}
    elif "id" in document and ("timestamp" in document or "observations" in document):
        parts = {name: document.get(name) for name in ("observations", "scores")}
        yield {"type": "trace", "body": {k: v for k, v in document.items() if k not in parts}}
        for name, items in parts.items():
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    body = {"traceId": document["id"], **item}
                    yield {"type": "score" if name == "scores" else "observation", "body": body}


def _read_score_event(event: Mapping[str, Any], index: int) -> ProductFeedback:
    body = event.get("body")
    if not isinstance(body, dict):
        raise InvalidItemError("the event has no body")
    if event.get("type") == "score-delete":  # it names no target
        raise InvalidItemError("a deletion: a score without a value takes the vote back")
    return _read_score({"timestamp": event.get("timestamp"), **body}, index)


def _read_score(item: Mapping[str, Any], index: int) -> ProductFeedback:
    target = read_target(item, _TARGETS)
    if target is None:
        raise InvalidItemError("the score names no trace, observation or session")
    value = item.get("value")
    return ProductFeedback(
        feedback_id=read_optional(item, "id") or f"langfuse-{content_digest(item)}",
        name=require_text(item, "name"),
        value=value if value is not None else item.get("stringValue"),
        comment=read_optional(item, "comment"),
        target_kind=target[0],
        target_id=target[1],
        time_ns=read_time(item.get("timestamp") or item.get("createdAt")),
        user_id=read_optional(item, "authorUserId"),
        source=str(item.get("source", "")),
        index=index,
    )


def _read_observation(event: Mapping[str, Any], index: int) -> OtelSpan:
    body = event.get("body")
    if not isinstance(body, dict):
        raise InvalidItemError("the event has no body")
    kind = str(body.get("type") or str(event.get("type")).partition("-")[0]).lower()
    attributes = {name: body[key] for key, name in _COPIED.items() if body.get(key) is not None}
    attributes["langfuse.observation.type"] = kind
    metadata = body.get("metadata")
    if metadata is not None:
        attributes["langfuse.observation.metadata"] = metadata
    trace_id = require_text(body, "traceId")
    start_ns, end_ns = read_time(body.get("startTime")), read_time(body.get("endTime"))
    if kind == "event":
        end_ns = end_ns or start_ns  # an event is a point in time: it is never open
    return OtelSpan(
        trace_id=trace_id,
        span_id=require_text(body, "id"),
        parent_span_id=read_optional(body, "parentObservationId") or f"trace:{trace_id}",
        name=read_optional(body, "name") or "",
        start_ns=start_ns,
        end_ns=end_ns,
        attributes=attributes,
        scope=NATIVE_LANGFUSE,
        status=SpanStatus(2 if body.get("level") == "ERROR" else 0),
        fragment=True,
        index=index,
    )


def _read_trace(event: Mapping[str, Any], index: int) -> OtelSpan:
    """Return the trace itself as the root above its observations."""
    body = event.get("body")
    if not isinstance(body, dict):
        raise InvalidItemError("the event has no body")
    attributes = {name: body[key] for key, name in _TRACE_COPIED.items() if body.get(key)}
    metadata = body.get("metadata")
    for key, value in (metadata if isinstance(metadata, dict) else {}).items():
        attributes[f"langfuse.trace.metadata.{key}"] = value
    attributes["langfuse.observation.type"] = "chain"
    trace_id = require_text(body, "id")
    return OtelSpan(
        trace_id=trace_id,
        span_id=f"trace:{trace_id}",
        parent_span_id=None,
        name=read_optional(body, "name") or "",
        start_ns=read_time(body.get("timestamp") or event.get("timestamp")),
        end_ns=_read_end(body),
        attributes=attributes,
        scope=NATIVE_LANGFUSE,
        fragment=True,
        index=index,
    )


def _read_end(trace: Mapping[str, Any]) -> int:
    """Return the end of an exported trace: its start and its latency in seconds."""
    start, latency = read_time(trace.get("timestamp")), trace.get("latency")
    if not start or isinstance(latency, bool) or not isinstance(latency, int | float):
        return 0
    return start + int(latency * 1e9) if 0 <= latency < 1e9 else 0
