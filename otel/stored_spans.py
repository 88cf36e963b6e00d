"""Converts spans, log records and feedback to rows of ``otel_spans``, and rows back to them.

Before redaction the way there and back changes nothing. The person and the session that an item
names are read once, when it is stored: redaction replaces the person in all texts of a row, and
assembly then finds the pseudonym in the column.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from otel.dialect import FieldName
from otel.dialects import UNKNOWN
from otel.evaluation_logs import EVALUATION_EVENT, read_evaluations
from otel.json_documents import load_json
from otel.signals import (
    Attributes,
    DecodedSignals,
    OtelLog,
    OtelSpan,
    ProductFeedback,
    SpanEvent,
    SpanLink,
    SpanStatus,
    TargetKind,
)
from otel.span_view import MAX_ID, ExtraFields, SpanView
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
ROW_OVERHEAD: Final = 1_000
"""What a row counts beside its text, about: a record may hold many spans without any text."""


@dataclass(slots=True)
class StorableSignals:
    """The rows of one Kafka record, each with its index.

    ``refused`` are items that the table cannot hold, with the rule that each breaks; ``dropped``
    are those that a named rule drops. ``unrecognised`` spans are of no known dialect.
    """

    rows: list[tuple[int, StoredSpan]] = field(default_factory=list)
    refused: list[tuple[int, StoredSpan, RuleBreach]] = field(default_factory=list)
    dropped: list[tuple[int, str]] = field(default_factory=list)
    unrecognised: int = 0


class RowsTooLargeError(ValueError):
    """The rows of one record would have more text than allowed."""


def to_stored_spans(
    signals: DecodedSignals,
    signal_format: str,
    *,
    fallback_us: int,
    most_bytes: int,
    extra: ExtraFields | None = None,
) -> StorableSignals:
    """Return the rows of the items of one Kafka record, in order of their index.

    ``fallback_us`` is the event time of items without a valid time of their own, in microseconds
    since 1970. ``extra`` names further attributes of the application.
    Raises RowsTooLargeError if the texts of all rows exceed ``most_bytes`` characters: the resource
    of a request stands in the row of each of its items.
    """
    return _RowWriter(signal_format, fallback_us, most_bytes, extra or {}).write(signals)


def from_stored_span(row: Mapping[str, Any]) -> OtelSpan | OtelLog | ProductFeedback:
    """Return the item of a row of ``otel_spans``, given as a value for each column.

    Raises ValueError if a JSON document in it cannot be parsed.
    """
    if row["record"] == "log":
        return _restore_log(row)
    return _restore_feedback(row) if row["record"] == "feedback" else _restore_span(row)


@dataclass(slots=True)
class _RowWriter:
    """Writes the rows of one Kafka record, and counts their text."""

    signal_format: str
    fallback_us: int
    most_bytes: int
    extra: ExtraFields
    found: StorableSignals = field(default_factory=StorableSignals)
    _written: int = 0
    _resource: tuple[Attributes, str] | None = None

    def write(self, signals: DecodedSignals) -> StorableSignals:
        for span in signals.spans:
            self._add(span.index, self._store_span(span))
        for feedback in signals.feedback:
            self._add(feedback.index, self._store_feedback(feedback))
        for log in signals.logs:
            self._add_log(log)
        self.found.rows.sort(key=lambda item: item[0])
        return self.found

    def _add_log(self, log: OtelLog) -> None:
        evaluations = read_evaluations([log]) if log.event_name == EVALUATION_EVENT else ()
        if evaluations:
            self._add(log.index, self._store_feedback(evaluations[0]))
        elif log.trace_id is None or log.span_id is None:
            self._count(ROW_OVERHEAD)
            self.found.dropped.append((log.index, LOG_WITHOUT_SPAN))
        else:
            self._add(log.index, self._store_log(log))

    def _add(self, index: int, row: StoredSpan) -> None:
        size = ROW_OVERHEAD + len(row.resource) + len(row.attributes) + len(row.name)
        size += sum(len(e.name) + len(e.attributes) for e in row.events) + len(row.body or "")
        self._count(size + sum(len(link.attributes) for link in row.links))
        breach = _find_breach(row)
        if breach is None:
            self.found.rows.append((index, row))
        else:
            self.found.refused.append((index, row, breach))

    def _count(self, size: int) -> None:
        self._written += size
        if self._written > self.most_bytes:
            raise RowsTooLargeError

    def _write_resource(self, resource: Attributes) -> str:
        """Return a resource as JSON; the spans of one request share the text."""
        if self._resource is None or self._resource[0] is not resource:
            self._resource = (resource, _write(resource))
        return self._resource[1]

    def _store_span(self, span: OtelSpan) -> StoredSpan:
        view = SpanView(span, extra=self.extra)
        self.found.unrecognised += view.dialect is UNKNOWN
        too_long: list[str] = []
        return StoredSpan(
            record="span" if self.signal_format == "otlp" else "run",
            format=self.signal_format,
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_span_id=span.parent_span_id,
            session_id=_read_id(view, "session_id", too_long),
            user_id=_read_id(view, "user_id", too_long),
            name=span.name,
            started_at=_event_time(span.start_ns, self.fallback_us),
            start_time_unix_nano=span.start_ns or None,
            end_time_unix_nano=span.end_ns or None,
            status_code=span.status.code,
            status_message=span.status.message or None,
            scope=span.scope,
            trace_state=span.trace_state or None,
            resource=self._write_resource(span.resource),
            attributes=_leave_out(too_long, _write(span.attributes)),
            events=[
                StoredSpanEvent(
                    name=e.name, time_unix_nano=e.time_ns, attributes=_write(e.attributes)
                )
                for e in span.events
            ],
            links=[
                StoredSpanLink(
                    trace_id=link.trace_id, span_id=link.span_id, attributes=_write(link.attributes)
                )
                for link in span.links
            ],
            dropped_attributes=span.dropped_attributes + len(too_long),
            part="fragment" if span.fragment else "whole",
            kind=span.kind,
            flags=span.flags or None,
        )

    def _store_log(self, log: OtelLog) -> StoredSpan:
        carrier = OtelSpan(
            log.trace_id or "", log.span_id or "", None, "", 0, 0, log.attributes, log.resource
        )
        view = SpanView(carrier, extra=self.extra)
        too_long: list[str] = []
        return StoredSpan(
            record="log",
            format=self.signal_format,
            trace_id=log.trace_id,
            span_id=log.span_id,
            session_id=_read_id(view, "session_id", too_long),
            user_id=_read_id(view, "user_id", too_long),
            name=log.event_name,
            started_at=_event_time(log.time_ns, self.fallback_us),
            start_time_unix_nano=log.time_ns or None,
            scope=log.scope,
            resource=self._write_resource(log.resource),
            attributes=_leave_out(too_long, _write(log.attributes)),
            body=None if log.body is None else _leave_out(too_long, _write(log.body)),
        )

    def _store_feedback(self, feedback: ProductFeedback) -> StoredSpan:
        """Return the row of a feedback. Its target stands in the column of the target's kind."""
        kind, target = feedback.target_kind, feedback.target_id
        document = {"target_kind": kind, "value": feedback.value, "source": feedback.source}
        document |= {"comment": feedback.comment, "correction": feedback.correction}
        if kind == "entity":
            document["target_id"] = target
        return StoredSpan(
            record="feedback",
            format=self.signal_format,
            trace_id=target if kind == "trace" else None,
            span_id=feedback.feedback_id,
            parent_span_id=target if kind == "span" else None,
            session_id=target if kind == "session" else None,
            user_id=feedback.user_id,
            name=feedback.name,
            started_at=_event_time(feedback.time_ns, self.fallback_us),
            start_time_unix_nano=feedback.time_ns or None,
            attributes=_write(document),
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
        # A file from before an upgrade has no such columns.
        kind=row.get("kind"),
        flags=row.get("flags") or 0,
        index=row["_index"] or 0,
        session_id=row["session_id"],
        user_id=row["user_id"],
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


def _restore_feedback(row: Mapping[str, Any]) -> ProductFeedback:
    document = _read_object(row["attributes"])
    filled = [kind for kind, column in _TARGET_COLUMNS.items() if row[column]]
    kind: TargetKind = document.get("target_kind") or (filled[0] if filled else "entity")
    target = row[_TARGET_COLUMNS[kind]] if kind in _TARGET_COLUMNS else document.get("target_id")
    return ProductFeedback(
        feedback_id=row["span_id"],
        name=row["name"],
        value=document.get("value"),
        comment=document.get("comment"),
        target_kind=kind,
        target_id=str(target or ""),
        time_ns=row["start_time_unix_nano"] or 0,
        user_id=row["user_id"],
        source=document.get("source") or "",
        correction=document.get("correction"),
        index=row["_index"] or 0,
    )


def _read_id(view: SpanView, name: FieldName, too_long: list[str]) -> str | None:
    reading = view.read_text(name, too_long)
    return None if reading is None else str(reading.value)


def _leave_out(too_long: Sequence[str], document: str) -> str:
    """Return a JSON document without ids that no column can hold: redaction would not know them."""
    for text in too_long:
        document = document.replace(_JSON.encode(text)[1:-1], "")
    return document


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


_TARGET_COLUMNS: Final[Mapping[TargetKind, str]] = {
    "trace": "trace_id",
    "span": "parent_span_id",
    "session": "session_id",
}
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
    """Return the object in a text; one whose text has expired is empty."""
    document = load_json(text) if text else {}
    if isinstance(document, dict):
        return document
    raise ValueError("the document is not an object")
