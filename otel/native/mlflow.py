"""Decodes MLflow's ``Trace.to_json()``: one record holds a whole trace with its assessments."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from otel.native.native_json import (
    BodyOfOne,
    NativeBody,
    parse_body,
    read_optional,
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
    refuse_signals,
)

_STATUS: Final = {"STATUS_CODE_ERROR": 2, "ERROR": 2, "STATUS_CODE_OK": 1, "OK": 1}


def decode_mlflow(value: bytes) -> DecodedSignals:
    """Return the spans and assessments of a trace.

    The trace's metadata and tags become attributes of its root, ``info.trace_metadata.*`` and
    ``info.tags.*``.
    """
    document = parse_body(value)
    if not isinstance(document, dict) or not isinstance(document.get("info"), dict):
        return refuse_signals("not an MLflow trace: no object with info and data")
    info = document["info"]
    data = document.get("data")
    spans = data.get("spans") if isinstance(data, dict) else None
    assessments = info.get("assessments")
    reader = _TraceReader(info)
    bare = {key: value for key, value in info.items() if key != "assessments"}
    body = NativeBody(
        spans=BodyOfOne(lambda span: {"info": bare, "data": {"spans": [span]}}),
        feedback=BodyOfOne(lambda item: {"info": {**bare, "assessments": [item]}, "data": {}}),
    )
    body.add_spans(spans if isinstance(spans, list) else [], reader.read_span)
    body.add_feedback(assessments if isinstance(assessments, list) else [], reader.read_assessment)
    return body.result()


def trace_id_of(value: str) -> str:
    """Return the OTLP id of an MLflow id: ``tr-<hex>`` is the same trace as ``<hex>``."""
    return value.removeprefix("tr-")


class _TraceReader:
    def __init__(self, info: Mapping[str, Any]) -> None:
        self._trace_id = trace_id_of(
            read_optional(info, "trace_id") or read_optional(info, "request_id") or ""
        )
        self._info = info

    def read_span(self, span: Mapping[str, Any], index: int) -> OtelSpan:
        if not self._trace_id:
            raise InvalidItemError("the trace has no id")
        parent = span.get("parent_span_id") or span.get("parent_id")
        attributes = span.get("attributes")
        attributes = dict(attributes) if isinstance(attributes, dict) else {}
        if not parent:
            attributes |= self._root_attributes()
        status = span.get("status")
        status = status if isinstance(status, dict) else {"code": span.get("status_code")}
        return OtelSpan(
            trace_id=self._trace_id,
            span_id=_read_id(require_text(_with_id(span), "span_id")),
            parent_span_id=_read_id(str(parent)) if parent else None,
            name=read_optional(span, "name") or "",
            start_ns=_read_ns(span, "start_time"),
            end_ns=_read_ns(span, "end_time"),
            attributes=attributes,
            resource=self._resource(),
            scope="mlflow.native",
            status=SpanStatus(
                _STATUS.get(str(status.get("code")), 0), str(status.get("message") or "")
            ),
            events=tuple(_read_event(e) for e in span.get("events") or () if isinstance(e, dict)),
            index=index,
        )

    def read_assessment(self, item: Mapping[str, Any], index: int) -> ProductFeedback:
        feedback = item.get("feedback") or item.get("expectation")
        if not isinstance(feedback, dict):
            raise InvalidItemError("the assessment has no feedback")
        source = item.get("source")
        source = source if isinstance(source, dict) else {}
        is_human = str(source.get("source_type")).upper() == "HUMAN"
        return ProductFeedback(
            feedback_id=require_text(item, "assessment_id"),
            name=require_text(item, "assessment_name"),
            value=feedback.get("value"),
            comment=read_optional(item, "rationale"),
            target_kind="trace",
            target_id=trace_id_of(read_optional(item, "trace_id") or self._trace_id),
            time_ns=read_time(item.get("create_time")),
            user_id=read_optional(source, "source_id") if is_human else None,
            source=str(source.get("source_type", "")),
            index=index,
        )

    def _root_attributes(self) -> dict[str, Any]:
        found = {}
        for key in ("trace_metadata", "tags"):
            values = self._info.get(key)
            for name, value in (values if isinstance(values, dict) else {}).items():
                found[f"info.{key}.{name}"] = value
        return found

    def _resource(self) -> dict[str, Any]:
        tags = self._info.get("tags")
        name = tags.get("service.name") if isinstance(tags, dict) else None
        return {"service.name": name} if isinstance(name, str) else {}


def _with_id(span: Mapping[str, Any]) -> Mapping[str, Any]:
    context = span.get("context")
    return {**context, **span} if isinstance(context, dict) else span


def _read_id(value: str) -> str:
    """Return a span id as hex: MLflow 3 writes base64, older versions hex with 0x."""
    if value.startswith("0x"):
        return value[2:]
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value
    return decoded.hex() if len(decoded) == 8 else value


def _read_ns(span: Mapping[str, Any], name: str) -> int:
    for key in (f"{name}_unix_nano", f"{name}_ns", name):
        value = span.get(key)
        if isinstance(value, str) and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, int) and 0 <= value < 1 << 63:
            return value
    return 0


def _read_event(event: Mapping[str, Any]) -> SpanEvent:
    attributes = event.get("attributes")
    return SpanEvent(
        str(event.get("name", "")),
        _read_ns(event, "time"),
        attributes if isinstance(attributes, dict) else {},
    )
