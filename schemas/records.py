"""The record types: valid traces, feedback and label events in memory, with their limits.

One typed decoder (msgspec) checks names, types and ranges while it reads. The classes follow
``avro/*.avsc`` field by field (tested in ``tests/schemas/test_records.py``). The garbage collector
does not track them: nothing in a record can refer back to it.
"""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

EARLIEST_MICROS: Final = 946_684_800_000_000
"""2000-01-01T00:00:00Z, the earliest valid event time."""
LATEST_MICROS: Final = 4_102_444_800_000_000 - 1
"""The last microsecond before 2100-01-01T00:00:00Z, the latest valid event time."""
INT64_MAX: Final = 2**63 - 1

_MAX = sys.float_info.max

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=512)]
Finite: TypeAlias = Annotated[float, Meta(ge=-_MAX, le=_MAX)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=_MAX)]
Probability: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Revision: TypeAlias = Annotated[int, Meta(ge=1, le=INT64_MAX)]

if TYPE_CHECKING:
    # Only the decoder sees the datetime of an RFC 3339 time; it converts it to microseconds.
    Micros: TypeAlias = int
else:
    Micros = (
        Annotated[int, Meta(ge=EARLIEST_MICROS, le=LATEST_MICROS)]
        | Annotated[datetime, Meta(tz=True)]
    )

Status: TypeAlias = Literal["ok", "error"]
FeedbackType: TypeAlias = Literal[
    "thumbs",
    "rating",
    "edit",
    "correction",
    "regenerate",
    "copy",
    "accept",
    "escalation",
    "resolution",
    "comment",
    "custom",
]
Actor: TypeAlias = Literal["end_user", "agent", "reviewer", "system"]
SpanRecord: TypeAlias = Literal["span", "log", "run", "feedback"]
SpanPart: TypeAlias = Literal["whole", "fragment"]
SpanKind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
Label: TypeAlias = Literal["pass", "fail", "unknown"]
Route: TypeAlias = Literal["auto", "review", "audit"]


class Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Base of all record types. Its representation names the type only, never the content."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class MessageToolCall(Record, kw_only=True):
    """A tool call that the assistant requested in a message."""

    id: Id
    name: str
    arguments: str


class Message(Record, kw_only=True):
    """One message of the input of a call, in chat format."""

    role: str
    content: str | None = None
    name: str | None = None
    tool_call_id: Id | None = None
    tool_calls: list[MessageToolCall] = []


class Retrieved(Record, kw_only=True):
    """A document that was retrieved to ground the answer."""

    document_id: Id
    score: Finite | None = None
    text: str | None = None


class ToolCall(Record, kw_only=True):
    """A tool that ran during the call, with its result; ``latency_ms`` in milliseconds."""

    id: Id
    name: str
    arguments: str
    result: str | None = None
    error: str | None = None
    latency_ms: Amount | None = None


class Trace(Record, kw_only=True):
    """One call of a language model. ``started_at`` in microseconds since 1970 (UTC)."""

    trace_id: Id
    request_id: Id | None = None
    session_id: Id | None = None
    user_id: Id | None = None
    app: str
    environment: str = "production"
    started_at: Micros
    latency_ms: Amount | None = None
    status: Status
    error_type: str | None = None
    error_message: str | None = None
    model_provider: str | None = None
    model_requested: str | None = None
    model_version: str | None = None
    prompt_version: str | None = None
    app_version: str | None = None
    messages: list[Message] = []
    response: str | None = None
    finish_reason: str | None = None
    retrieved: list[Retrieved] = []
    tool_calls: list[ToolCall] = []
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Amount | None = None
    segments: dict[str, str] = {}
    attributes: dict[str, str] = {}


class Feedback(Record, kw_only=True):
    """One reaction to an answer. ``occurred_at`` in microseconds since 1970 (UTC)."""

    feedback_id: Id
    trace_id: Id
    session_id: Id | None = None
    user_id: Id | None = None
    kind: FeedbackType
    value: Finite | None = None
    comment: str | None = None
    corrected_response: str | None = None
    actor: Actor
    occurred_at: Micros
    attributes: dict[str, str] = {}


class StoredSpanEvent(Record, kw_only=True):
    """Something that happened during a span; ``attributes`` is a JSON object as text."""

    name: str
    time_unix_nano: Count
    attributes: str


class StoredSpanLink(Record, kw_only=True):
    """A reference from a span to another span; ``attributes`` is a JSON object as text."""

    trace_id: str
    span_id: str
    attributes: str


class StoredSpan(Record, kw_only=True):
    """A row of ``otel_spans``: a span, a log record of a span, a run, or a feedback.

    ``started_at`` in microseconds since 1970 (UTC). ``resource``, ``attributes`` and ``body`` are
    JSON documents as text.
    """

    record: SpanRecord
    format: str
    trace_id: Id | None = None
    span_id: Id | None = None
    parent_span_id: Id | None = None
    session_id: Id | None = None
    user_id: Id | None = None
    name: str = ""
    started_at: Micros
    start_time_unix_nano: Count | None = None
    end_time_unix_nano: Count | None = None
    status_code: Count = 0
    status_message: str | None = None
    scope: str = ""
    trace_state: str | None = None
    resource: str = "{}"
    attributes: str = "{}"
    events: list[StoredSpanEvent] = []
    links: list[StoredSpanLink] = []
    body: str | None = None
    dropped_attributes: Count = 0
    part: SpanPart = "whole"
    taught: str | None = None
    kind: SpanKind | None = None
    flags: Count | None = None


class Evidence(Record, kw_only=True):
    """One signal behind a label; ``weight`` is its contribution to the log-odds of fail."""

    feedback_id: Id | None = None
    kind: str
    weight: Finite


class LabelEvent(Record, kw_only=True):
    """The label of a trace. Times in microseconds since 1970 (UTC), ``p_fail`` from 0 to 1."""

    label_event_id: Id
    trace_id: Id
    revision: Revision
    label: Label
    p_fail: Probability
    evidence: list[Evidence] = []
    expected_response: str | None = None
    route: Route
    audit_probability: Probability | None = None
    policy_version: str
    decided_at: Micros
    trace_started_at: Micros | None = None
    turnaround_ms: Count | None = None
    app: str | None = None
    segments: dict[str, str] = {}
    p_fail_low: Probability | None = None
    p_fail_high: Probability | None = None
