"""The values that all formats are decoded to: spans, log records, feedback, and rejected items."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.records import SpanKind

Attributes = Mapping[str, Any]
"""Values are what JSON can hold; bytes that are no text are base64."""

TargetKind = Literal["trace", "span", "session", "entity"]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during a span, such as an exception. ``time_ns`` is epoch time."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A reference from a span to another span."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanStatus:
    """Status of a span: 0 unset, 1 ok, 2 error."""

    code: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class OtelSpan:
    """A span, or a run of a product's own format. Times are epoch nanoseconds, 0 if unknown.

    ``index`` is its place within the record. ``fragment`` marks a part of a span: the other parts
    have the same ids and are merged during assembly. ``session_id`` and ``user_id`` are set if the
    span was read from the table, which holds them beside the attributes.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    resource: Attributes = field(default_factory=dict)
    scope: str = ""
    status: SpanStatus = SpanStatus()
    events: Sequence[SpanEvent] = ()
    links: Sequence[SpanLink] = ()
    trace_state: str = ""
    dropped_attributes: int = 0
    fragment: bool = False
    kind: SpanKind | None = None
    flags: int = 0
    index: int = 0
    session_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class OtelLog:
    """A log record. ``trace_id`` and ``span_id`` are None if it belongs to no span."""

    trace_id: str | None
    span_id: str | None
    event_name: str
    time_ns: int
    body: Any
    attributes: Attributes
    resource: Attributes = field(default_factory=dict)
    scope: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class ProductFeedback:
    """Feedback as a product sends it, before its scale and its target are resolved."""

    feedback_id: str
    name: str
    value: Any
    comment: str | None
    target_kind: TargetKind
    target_id: str
    time_ns: int
    user_id: str | None = None
    source: str = ""
    correction: str | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item of a record that is set aside. ``reason`` holds no content of the record.

    ``write`` returns a record of the same format that holds this item alone, and ``path`` is the
    HTTP path that goes with it, where a product's body needs one.
    """

    index: int
    reason: str
    write: Callable[[], bytes] = field(default=bytes, repr=False, compare=False)
    path: str = ""


@dataclass(frozen=True, slots=True)
class DecodedSignals:
    """Everything that one Kafka record holds. If ``readable`` is False, nothing could be decoded
    and ``rejected`` has one item with the reason."""

    spans: tuple[OtelSpan, ...] = ()
    logs: tuple[OtelLog, ...] = ()
    feedback: tuple[ProductFeedback, ...] = ()
    rejected: tuple[RejectedItem, ...] = ()
    readable: bool = True


def refuse_signals(reason: str) -> DecodedSignals:
    """Return the result for a record that cannot be read at all."""
    return DecodedSignals(rejected=(RejectedItem(0, reason),), readable=False)
