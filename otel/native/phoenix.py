"""Decodes Phoenix's annotations of spans, traces and sessions (``/v1/span_annotations``, …)."""

from collections.abc import Mapping
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
from otel.signals import DecodedSignals, ProductFeedback, TargetKind, refuse_signals

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
    if not isinstance(items, list):
        return refuse_signals("not a Phoenix body: no list of annotations in `data`")
    body = NativeBody(spans=_ANNOTATION, feedback=_ANNOTATION)
    return body.add_feedback(items, _read_annotation).result()


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
