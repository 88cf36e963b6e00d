"""Converts spans, log records and feedback to rows of ``otel_spans``, and rows back to them.

Before redaction the way there and back changes nothing. The person and the session that an item
names are read once, when it is stored: redaction replaces the person in all texts of a row, and
assembly then finds the pseudonym in the column.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from otel.evaluation_logs import EVALUATION_EVENT, read_evaluations
from otel.json_documents import load_json
from otel.signals import (
    DecodedSignals,
    OtelLog,
    OtelSpan,
    ProductFeedback,
    SpanEvent,
    SpanLink,
    SpanStatus,
)
from otel.span_view import SpanView
from schemas.reasons import QuarantineReason
from schemas.record_rules import RuleBreach
from schemas.records import (
    EARLIEST_MICROS,
    INT64_MAX,
    LATEST_MICROS,
    StoredSpan,
    StoredSpanEvent,
    StoredSpanLink,
)

LOG_WITHOUT_SPAN: Final = "log_without_span"
"""The rule that drops log records that belong to no span and are no feedback."""
MAX_ID: Final = 512


@dataclass(slots=True)
class StorableSignals:
    """The rows of one Kafka record, each with its index, and the items dropped by a named rule.

    ``refused`` are items that the table cannot hold, with the rule that each breaks.
    """

    rows: list[tuple[int, StoredSpan]] = field(default_factory=list)
    refused: list[tuple[int, StoredSpan, RuleBreach]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> int:
        """Return how many items there are."""
        return len(self.rows) + len(self.refused) + self.dropped.total()


def to_stored_spans(
    signals: DecodedSignals, signal_format: str, *, fallback_us: int
) -> StorableSignals:
    """Return the rows of the items of one Kafka record, in order of their index.

    ``fallback_us`` is the event time of items without a valid time of their own, in microseconds
    since 1970.
    """
    found = StorableSignals()
    rows = [(s.index, _store_span(s, signal_format, fallback_us)) for s in signals.spans]
    rows += [(f.index, _store_feedback(f, signal_format, fallback_us)) for f in signals.feedback]
    for log in signals.logs:
        evaluations = read_evaluations([log]) if log.event_name == EVALUATION_EVENT else ()
        if evaluations:
            rows.append((log.index, _store_feedback(evaluations[0], signal_format, fallback_us)))
        elif log.trace_id is None or log.span_id is None:
            found.dropped[LOG_WITHOUT_SPAN] += 1
        else:
            rows.append((log.index, _store_log(log, signal_format, fallback_us)))
    for index, row in sorted(rows, key=lambda item: item[0]):
        breach = _find_breach(row)
        if breach is None:
            found.rows.append((index, row))
        else:
            found.refused.append((index, row, breach))
    return found


def from_stored_span(row: Mapping[str, Any]) -> OtelSpan | OtelLog | ProductFeedback:
    """Return the item of a row of ``otel_spans``, given as a value for each column.

    Raises ValueError if a JSON document in it cannot be parsed.
    """
    if row["record"] == "log":
        return _restore_log(row)
    return _restore_feedback(row) if row["record"] == "feedback" else _restore_span(row)


def from_stored_spans(rows: Iterable[Mapping[str, Any]]) -> DecodedSignals:
    """Return the items of many rows, of one trace or of several."""
    items = [from_stored_span(row) for row in rows]
    return DecodedSignals(
        spans=tuple(item for item in items if isinstance(item, OtelSpan)),
        logs=tuple(item for item in items if isinstance(item, OtelLog)),
        feedback=tuple(item for item in items if isinstance(item, ProductFeedback)),
    )


def _store_span(span: OtelSpan, signal_format: str, fallback_us: int) -> StoredSpan:
    session, user = _read_owner(span)
    return StoredSpan(
        record="span" if signal_format == "otlp" else "run",
        format=signal_format,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        session_id=session,
        user_id=user,
        name=span.name,
        started_at=_event_time(span.start_ns, fallback_us),
        start_time_unix_nano=span.start_ns or None,
        end_time_unix_nano=span.end_ns or None,
        status_code=span.status.code,
        status_message=span.status.message or None,
        scope=span.scope,
        trace_state=span.trace_state or None,
        resource=_write(span.resource),
        attributes=_write(span.attributes),
        events=[
            StoredSpanEvent(
                name=event.name, time_unix_nano=event.time_ns, attributes=_write(event.attributes)
            )
            for event in span.events
        ],
        links=[
            StoredSpanLink(
                trace_id=link.trace_id, span_id=link.span_id, attributes=_write(link.attributes)
            )
            for link in span.links
        ],
        dropped_attributes=span.dropped_attributes,
        part="fragment" if span.fragment else "whole",
    )


def _restore_span(row: Mapping[str, Any]) -> OtelSpan:
    return OtelSpan(
        trace_id=row["trace_id"] or "",
        span_id=row["span_id"] or "",
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        start_ns=row["start_time_unix_nano"] or 0,
        end_ns=row["end_time_unix_nano"] or 0,
        attributes=_read_object(row["attributes"]),
        resource=_read_object(row["resource"]),
        scope=row["scope"],
        status=SpanStatus(row["status_code"], row["status_message"] or ""),
        events=tuple(
            SpanEvent(e["name"], e["time_unix_nano"], _read_object(e["attributes"]))
            for e in row["events"]
        ),
        links=tuple(
            SpanLink(link["trace_id"], link["span_id"], _read_object(link["attributes"]))
            for link in row["links"]
        ),
        trace_state=row["trace_state"] or "",
        dropped_attributes=row["dropped_attributes"],
        fragment=row["part"] == "fragment",
        index=row["_index"] or 0,
        session_id=row["session_id"],
        user_id=row["user_id"],
    )


def _store_log(log: OtelLog, signal_format: str, fallback_us: int) -> StoredSpan:
    carrier = OtelSpan(
        log.trace_id or "", log.span_id or "", None, "", 0, 0, log.attributes, log.resource
    )
    session, user = _read_owner(carrier)
    return StoredSpan(
        record="log",
        format=signal_format,
        trace_id=log.trace_id,
        span_id=log.span_id,
        session_id=session,
        user_id=user,
        name=log.event_name,
        started_at=_event_time(log.time_ns, fallback_us),
        start_time_unix_nano=log.time_ns or None,
        scope=log.scope,
        resource=_write(log.resource),
        attributes=_write(log.attributes),
        body=None if log.body is None else _write(log.body),
    )


def _restore_log(row: Mapping[str, Any]) -> OtelLog:
    return OtelLog(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        event_name=row["name"],
        time_ns=row["start_time_unix_nano"] or 0,
        body=None if row["body"] is None else load_json(row["body"]),
        attributes=_read_object(row["attributes"]),
        resource=_read_object(row["resource"]),
        scope=row["scope"],
        index=row["_index"] or 0,
    )


def _store_feedback(feedback: ProductFeedback, signal_format: str, fallback_us: int) -> StoredSpan:
    """Return the row of a feedback. Its target stands in the column of the target's kind."""
    kind, target = feedback.target_kind, feedback.target_id
    document = {"target_kind": kind, "value": feedback.value, "source": feedback.source}
    document |= {"comment": feedback.comment, "correction": feedback.correction}
    if kind == "entity":
        document["target_id"] = target
    return StoredSpan(
        record="feedback",
        format=signal_format,
        trace_id=target if kind == "trace" else None,
        span_id=feedback.feedback_id,
        parent_span_id=target if kind == "span" else None,
        session_id=target if kind == "session" else None,
        user_id=feedback.user_id,
        name=feedback.name,
        started_at=_event_time(feedback.time_ns, fallback_us),
        start_time_unix_nano=feedback.time_ns or None,
        attributes=_write(document),
    )


def _restore_feedback(row: Mapping[str, Any]) -> ProductFeedback:
    document = _read_object(row["attributes"])
    kind = document["target_kind"]
    columns = {"trace": "trace_id", "span": "parent_span_id", "session": "session_id"}
    target = row[columns[kind]] if kind in columns else document.get("target_id")
    return ProductFeedback(
        feedback_id=row["span_id"],
        name=row["name"],
        value=document.get("value"),
        comment=document.get("comment"),
        target_kind=kind,
        target_id=target,
        time_ns=row["start_time_unix_nano"] or 0,
        user_id=row["user_id"],
        source=document.get("source") or "",
        correction=document.get("correction"),
        index=row["_index"] or 0,
    )


def _read_owner(span: OtelSpan) -> tuple[str | None, str | None]:
    """Return the session and the user that a span names."""
    view = SpanView(span)
    session, user = view.read_text("session_id"), view.read_text("user_id")
    return (
        None if session is None else str(session.value),
        None if user is None else str(user.value),
    )


def _event_time(time_ns: int, fallback_us: int) -> int:
    micros = time_ns // 1000
    return micros if EARLIEST_MICROS <= micros <= LATEST_MICROS else fallback_us


def _find_breach(row: StoredSpan) -> RuleBreach | None:
    """Return the rule of the table that a row breaks; the decoder has checked everything else."""
    for name in _IDS:
        value = getattr(row, name)
        if value is not None and not 1 <= len(value) <= MAX_ID:
            return _breach(name, f"have 1 to {MAX_ID} characters")
    numbers = {name: getattr(row, name) or 0 for name in _NUMBERS}
    numbers["events[].time_unix_nano"] = max((e.time_unix_nano for e in row.events), default=0)
    for name, number in numbers.items():
        if not 0 <= number <= INT64_MAX:
            return _breach(name, f"be from 0 to {INT64_MAX}")
    return None


def _breach(name: str, rule: str) -> RuleBreach:
    return RuleBreach(QuarantineReason.OUT_OF_RANGE, name, f"`{name}` must {rule}.")


_IDS: Final = ("trace_id", "span_id", "parent_span_id", "session_id", "user_id")
_NUMBERS: Final = (
    "start_time_unix_nano",
    "end_time_unix_nano",
    "status_code",
    "dropped_attributes",
)
_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _write(document: Any) -> str:
    """Return a document as JSON; numbers that JSON lacks become text, as in protobuf's JSON."""
    try:
        return _JSON.encode(document)
    except ValueError:
        return _JSON.encode(_without_nan(document))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nan(item) for item in value]
    return value


def _read_object(text: str) -> dict[str, Any]:
    document = load_json(text)
    if isinstance(document, dict):
        return document
    raise ValueError("the document is not an object")
