"""Feedback in log records: the event ``gen_ai.evaluation.result`` of OpenTelemetry."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from otel.application_names import APPLICATION_FIELDS
from otel.json_documents import content_digest
from otel.signals import OtelLog, ProductFeedback, TargetKind

EVALUATION_EVENT: Final = "gen_ai.evaluation.result"


def read_evaluations(logs: Iterable[OtelLog]) -> list[ProductFeedback]:
    """Return the feedback in log records; its id is a hash of the record, so copies share it.

    The target is the trace of the record, else the response it names, else the session.
    """
    found = {}
    for log in logs:
        feedback = _read_evaluation(log) if log.event_name == EVALUATION_EVENT else None
        if feedback is not None:
            found[feedback.feedback_id] = feedback
    return [found[key] for key in sorted(found)]


def _read_evaluation(log: OtelLog) -> ProductFeedback | None:
    body = log.body if isinstance(log.body, dict) else {}
    values = {**body, **log.attributes}
    name = values.get("gen_ai.evaluation.name")
    target = _read_target(log, values)
    if not isinstance(name, str) or target is None:
        return None
    score = values.get("gen_ai.evaluation.score.value")
    comment = values.get("gen_ai.evaluation.explanation")
    return ProductFeedback(
        feedback_id=f"otel-{content_digest(asdict(replace(log, index=0)))}",
        name=name,
        value=score if score is not None else values.get("gen_ai.evaluation.score.label"),
        comment=comment if isinstance(comment, str) and comment else None,
        target_kind=target[0],
        target_id=target[1],
        time_ns=log.time_ns,
        source=log.scope,
        index=log.index,
    )


def _read_target(log: OtelLog, values: Mapping[str, Any]) -> tuple[TargetKind, str] | None:
    if log.trace_id is not None:
        return "trace", log.trace_id
    response = values.get("gen_ai.response.id")
    if isinstance(response, str) and response:
        return "entity", response
    sessions = (values.get(source.key) for source in APPLICATION_FIELDS["session_id"])
    session = next((each for each in sessions if isinstance(each, str) and each), None)
    return None if session is None else ("session", session)
