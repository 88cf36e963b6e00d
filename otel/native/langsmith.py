"""Decodes LangSmith's bodies: batches of runs (JSON or multipart) and feedback.

A run is sent twice, as ``post`` and as ``patch``; each gives a fragment of one span.
"""

from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final

from otel.json_documents import load_json
from otel.native.native_json import (
    BodyOfOne,
    NativeBody,
    parse_body,
    read_optional,
    read_time,
    require_text,
)
from otel.signals import (
    DecodedSignals,
    OtelSpan,
    ProductFeedback,
    SpanEvent,
    SpanStatus,
    refuse_signals,
)

_COPIED: Final = ("inputs", "outputs", "error")
_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_cost")
"""Sums that an exported run has; 0 where LangSmith knows none."""
_RUN_TYPES: Final = {"parser": "chain", "prompt": "chain"}


_POST: Final = BodyOfOne(lambda run: {"post": [run]}, "/runs/batch")
_FEEDBACK: Final = BodyOfOne(lambda item: [item], "/feedback")


def decode_langsmith(value: bytes, path: str, content_type: str) -> DecodedSignals:
    """Return the runs or the feedback of a request. ``path`` is the path of the HTTP call."""
    if "multipart/" in content_type.lower():
        return _decode_multipart(value, content_type)
    document = parse_body(value)
    if document is None:
        return refuse_signals("not a LangSmith body: the JSON document cannot be parsed")
    if "feedback" in path or _is_feedback(document):
        items = document if isinstance(document, list) else [document]
        body = NativeBody(spans=_POST, feedback=_FEEDBACK)
        return body.add_feedback(items, read_feedback).result()
    return _decode_runs(document)


def _is_feedback(document: Any) -> bool:
    """Return whether an exported object is feedback: it has a key, and it is no run."""
    return isinstance(document, dict) and "key" in document and "run_type" not in document


def _decode_runs(document: Any) -> DecodedSignals:
    if isinstance(document, dict) and not {"post", "patch"} & document.keys():
        document = {"post": [document]}
    if isinstance(document, list):
        document = {"post": document}
    if not isinstance(document, dict):
        return refuse_signals("not a LangSmith body: no list of runs")
    body = NativeBody(spans=_POST, feedback=_FEEDBACK)
    for key in ("post", "patch"):
        runs = document.get(key)
        body.add_spans(runs if isinstance(runs, list) else [], read_run)
    return body.result()


def read_run(run: Mapping[str, Any], index: int) -> OtelSpan:
    """Return a run as a fragment of a span.

    Raises InvalidItemError if the run has no id or no trace.
    """
    run_id = require_text(run, "id")
    trace_id = read_optional(run, "trace_id") or _trace_of(run) or run_id
    error = read_optional(run, "error")
    extra = run.get("extra")
    extra = extra if isinstance(extra, dict) else {}
    metadata = extra.get("metadata")
    attributes = {
        f"langsmith.metadata.{key}": item
        for key, item in (metadata if isinstance(metadata, dict) else {}).items()
    }
    run_type = read_optional(run, "run_type")
    attributes |= {key: run[key] for key in _COPIED if run.get(key) is not None}
    attributes |= {key: run[key] for key in _USAGE if run.get(key)}
    if run_type:
        attributes["langsmith.span.kind"] = _RUN_TYPES.get(run_type, run_type)
    project = read_optional(run, "session_name")
    if project:
        attributes["langsmith.project"] = project
    return OtelSpan(
        trace_id=trace_id,
        span_id=run_id,
        parent_span_id=read_optional(run, "parent_run_id"),
        name=read_optional(run, "name") or "",
        start_ns=read_time(run.get("start_time")),
        end_ns=read_time(run.get("end_time")),
        attributes=attributes,
        scope="langsmith.native",
        status=SpanStatus(2) if error else SpanStatus(),
        events=tuple(_read_events(run.get("events"))),
        fragment=True,
        index=index,
    )


def _trace_of(run: Mapping[str, Any]) -> str | None:
    """Return the trace from the dotted order: time and id of the root come first."""
    order = read_optional(run, "dotted_order")
    return order.split(".", 1)[0].partition("Z")[2] or None if order else None


def _read_events(value: Any) -> Iterator[SpanEvent]:
    for event in value if isinstance(value, list) else ():
        if isinstance(event, dict):
            yield SpanEvent(str(event.get("name", "")), read_time(event.get("time")), {})


def read_feedback(item: Mapping[str, Any], index: int) -> ProductFeedback:
    """Return a feedback. Its target is the trace if it names one, else the run.

    Raises InvalidItemError if it has no key or no target.
    """
    trace_id = read_optional(item, "trace_id")
    target = trace_id or require_text(item, "run_id")
    source = item.get("feedback_source")
    source = source if isinstance(source, dict) else {}
    metadata = source.get("metadata")
    value = item.get("score") if item.get("score") is not None else item.get("value")
    correction = item.get("correction")
    return ProductFeedback(
        feedback_id=require_text(item, "id"),
        name=require_text(item, "key"),
        value=value,
        comment=read_optional(item, "comment"),
        target_kind="trace" if trace_id else "span",
        target_id=target,
        time_ns=read_time(item.get("created_at")),
        user_id=read_optional(metadata, "user") if isinstance(metadata, dict) else None,
        source=str(source.get("type", "")),
        correction=correction if isinstance(correction, str) else None,
        index=index,
    )


def _decode_multipart(value: bytes, content_type: str) -> DecodedSignals:
    """Decode ``/runs/multipart``: parts are named ``post.<id>``, ``patch.<id>.outputs``, ….

    The standard library's MIME parser separates the parts.
    """
    header = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(header + value)
    if not message.is_multipart():
        return refuse_signals("not a LangSmith body: the multipart body has no parts")
    runs: dict[tuple[str, str], dict[str, Any]] = {}
    feedback: list[Any] = []
    bad_parts: list[bytes] = []
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition") or "")
        kind, _, rest = name.partition(".")
        run_id, _, part_field = rest.partition(".")
        if kind not in {"post", "patch", "feedback"}:
            continue
        try:
            document = load_json(_payload(part))
        except ValueError:
            bad_parts.append(_payload(part))
            continue
        if kind == "feedback":
            feedback.append(document)
        else:
            run = runs.setdefault((kind, run_id), {"id": run_id})
            run.update({part_field: document} if part_field else _as_dict(document))
    body = NativeBody(spans=_POST, feedback=_FEEDBACK)
    body.add_spans(list(runs.values()), read_run)
    body.add_feedback(feedback, read_feedback)
    for payload in bad_parts:
        body.reject("a part of the multipart body is not JSON", payload)
    return body.result()


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _as_dict(document: Any) -> dict[str, Any]:
    return document if isinstance(document, dict) else {}
