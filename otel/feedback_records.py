"""Resolves feedback of the products to records of feedback: which trace it is about, and its kind.

Pure: what is known of the traces is passed in. Feedback whose trace is not known yet stays open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel.assembly import AssembledTrace
from otel.feedback_scale import DEFAULT_SCALES, FeedbackScale, scale_feedback
from otel.signals import OtelSpan, ProductFeedback

ENTITY_KEYS: Final = (
    "traceloop.association.properties.chat_id",
    "traceloop.association.properties.entity_id",
    "gen_ai.response.id",
)
"""Attributes of a span that feedback can refer to: an application's own ids, or a response's."""
_ACTORS: Final = {
    "human": "end_user",
    "user": "end_user",
    "annotation": "reviewer",
    "code": "system",
    "llm": "system",
    "llm_judge": "system",
    "eval": "system",
}


@dataclass(frozen=True)
class FeedbackTargets:
    """What feedback can refer to: spans, sessions and entities, with the traces they lie in."""

    traces: Mapping[str, AssembledTrace]
    spans: Mapping[str, str]
    entities: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ResolvedFeedback:
    """A record of feedback of the contract, or the reason why its trace is not known."""

    feedback: ProductFeedback
    record: Mapping[str, Any] | None
    reason: str | None


def collect_targets(
    traces: Mapping[str, AssembledTrace], spans: Iterable[OtelSpan]
) -> FeedbackTargets:
    """Return the targets in the spans of assembled traces. The last trace of an entity counts."""
    by_span: dict[str, str] = {}
    entities: dict[str, tuple[int, str]] = {}
    for span in spans:
        by_span[span.span_id] = span.trace_id
        for key in ENTITY_KEYS:
            entity = span.attributes.get(key)
            if isinstance(entity, str):
                latest = (span.start_ns, span.trace_id)
                entities[entity] = max(entities.get(entity, latest), latest)
    return FeedbackTargets(traces, by_span, {key: trace for key, (_, trace) in entities.items()})


def resolve_feedback(
    feedback: ProductFeedback,
    targets: FeedbackTargets,
    scales: Mapping[str, FeedbackScale] = DEFAULT_SCALES,
) -> ResolvedFeedback:
    """Return the record of a feedback. A session means its last trace before the feedback."""
    trace_id = _find_trace(feedback, targets)
    if trace_id is None:
        return ResolvedFeedback(feedback, None, f"its {feedback.target_kind} is not known")
    trace = targets.traces.get(trace_id)
    if trace is None or trace.row is None:
        return ResolvedFeedback(feedback, None, "its trace has no row")
    kind, value = scale_feedback(feedback.name, feedback.value, scales)
    row = trace.row
    record = {
        "feedback_id": feedback.feedback_id,
        "trace_id": trace_id,
        "session_id": row["session_id"],
        "user_id": feedback.user_id or row["user_id"],
        "kind": kind,
        "value": value,
        "comment": feedback.comment,
        "corrected_response": feedback.correction,
        "actor": _ACTORS.get(feedback.source.lower(), "end_user"),
        "occurred_at": feedback.time_ns // 1000 or row["started_at"],
        "attributes": {"name": feedback.name},
    }
    return ResolvedFeedback(feedback, record, None)


def _find_trace(feedback: ProductFeedback, targets: FeedbackTargets) -> str | None:
    if feedback.target_kind == "trace":
        return feedback.target_id if feedback.target_id in targets.traces else None
    if feedback.target_kind == "span":
        return targets.spans.get(feedback.target_id)
    if feedback.target_kind == "entity":
        return targets.entities.get(feedback.target_id)
    return _last_of_session(feedback, targets.traces)


def _last_of_session(feedback: ProductFeedback, traces: Mapping[str, AssembledTrace]) -> str | None:
    begun = [
        (trace.row["started_at"], trace_id)
        for trace_id, trace in traces.items()
        if trace.row is not None
        and trace.row["session_id"] == feedback.target_id
        and (not feedback.time_ns or trace.row["started_at"] <= feedback.time_ns // 1000)
    ]
    return max(begun)[1] if begun else None
