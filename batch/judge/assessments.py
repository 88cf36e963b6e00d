"""Judgements as other tools keep them: an error is an error there too, and never a verdict.

Each format is a function from judgements to JSON lines whose fields are those of the tool's own
call. The outcome is a category, since a number would turn unknown rows into good or bad ones. Ids
are derived from the judgement's, so that sending them twice changes nothing, where the tool has
ids.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

from batch.release.export.formats import without_null
from batch.release.format.contract import RELEASE_NAMESPACE
from batch.release.format.files import encode_jsonl
from judges.judgement import Judgement, judgements_in_force
from judges.outcome import JudgeOutcome

_SCORES: Final[Mapping[JudgeOutcome, float]] = {"pass": 1.0, "fail": 0.0}
"""The number beside the category, where a tool has both; the other outcomes have none."""

Assessment: TypeAlias = dict[str, Any]


def verdicts_to_export(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return one judgement for each judge and subject: that of the newest model and revision.

    Repetitions are left out, since they measure the judge and not the subject.
    """
    newest: dict[tuple[str, str], Judgement] = {}
    for judgement in judgements_in_force(j for j in judgements if j.key.repeat == 0):
        of = (judgement.key.judge_digest, judgement.key.subject)
        if of not in newest or _age(judgement) > _age(newest[of]):
            newest[of] = judgement
    return [newest[of] for of in sorted(newest)]


def mlflow_assessment(judgement: Judgement) -> Assessment:
    """Return what ``Assessment.from_dictionary`` reads, for ``mlflow.log_assessment``."""
    error = judgement.answer.reason
    moment = datetime.fromtimestamp(judgement.judged_at / 1e6, UTC)
    time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    feedback: dict[str, Any] = {"value": judgement.answer.outcome}
    if error is not None:
        feedback = {"value": None, "error": {"error_code": error}}
    return {
        "assessment_name": judgement.judge,
        "trace_id": judgement.trace_id,
        "source": {"source_type": source_type(judgement), "source_id": _source(judgement)},
        "create_time": time,
        "last_update_time": time,
        "feedback": feedback,
        **_if_set("rationale", judgement.rationale),
        "metadata": {key: str(value) for key, value in assessment_facts(judgement).items()},
    }


def langfuse_score(judgement: Judgement) -> Assessment:
    """Return the arguments of ``Langfuse.create_score``."""
    return {
        "score_id": judgement.judgement_id,
        "trace_id": judgement.trace_id,
        "name": judgement.judge,
        "data_type": "CATEGORICAL",
        "value": judgement.answer.outcome,
        **_if_set("comment", judgement.rationale),
        "metadata": assessment_facts(judgement),
    }


def langsmith_feedback(judgement: Judgement) -> Assessment:
    """Return the arguments of ``Client.create_feedback``.

    LangSmith identifies a run by a UUID. A trace id that is none gives one that is derived from it.
    """
    return {
        "feedback_id": _uuid(judgement.judgement_id),
        "run_id": _run_id(judgement.trace_id),
        "key": judgement.judge,
        "value": judgement.answer.outcome,
        "score": _SCORES.get(judgement.answer.outcome),
        **_if_set("comment", judgement.rationale),
        "error": judgement.answer.outcome == "error",
        "feedback_source_type": "model" if source_type(judgement) == "LLM_JUDGE" else "api",
        "source_info": {"trace_id": judgement.trace_id, **assessment_facts(judgement)},
    }


def phoenix_annotation(judgement: Judgement) -> Assessment:
    """Return an entry of ``client.traces.log_trace_annotations``."""
    answer = judgement.answer
    score = _SCORES.get(answer.outcome)
    explanation = judgement.rationale if answer.reason is None else f"error: {answer.reason}"
    return {
        "name": judgement.judge,
        "annotator_kind": "LLM" if source_type(judgement) == "LLM_JUDGE" else "CODE",
        "trace_id": judgement.trace_id,
        "identifier": f"goldpan:{judgement.key.judge_digest[:12]}",
        "result": {
            "label": answer.outcome,
            **({} if score is None else {"score": score}),
            **_if_set("explanation", explanation),
        },
        "metadata": assessment_facts(judgement),
    }


ASSESSMENT_FORMATS: Final[Mapping[str, Callable[[Judgement], Assessment]]] = {
    "mlflow": mlflow_assessment,
    "langfuse": langfuse_score,
    "langsmith": langsmith_feedback,
    "phoenix": phoenix_annotation,
}
"""The formats by name. Each maps a judgement to a line."""


def assessment_lines(target: str, judgements: Sequence[Judgement]) -> bytes:
    """Return judgements as JSON lines for a tool. U+0000 becomes U+FFFD: databases refuse it."""
    write = ASSESSMENT_FORMATS[target]
    return encode_jsonl([without_null(write(judgement)) for judgement in judgements])


def assessment_facts(judgement: Judgement) -> dict[str, Any]:
    """Return what identifies a judgement and says how it came about."""
    key, answer, call = judgement.key, judgement.answer, judgement.call
    facts = {
        "judgement_id": judgement.judgement_id,
        "judge_version": judgement.judge_version,
        "judge_digest": key.judge_digest,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "p_fail": answer.p_fail,
        "failure_mode": answer.failure_mode,
        "way": judgement.way,
        "model_requested": call.model_requested,
        "model_served": call.model_served,
        "epoch": key.epoch,
        "probability": judgement.probability,
    }
    return {name: value for name, value in facts.items() if value is not None}


def source_type(judgement: Judgement) -> str:
    """Return what judged, in MLflow's words: ``LLM_JUDGE``, or ``CODE`` for what is computed."""
    return "CODE" if judgement.way in ("check", "local") else "LLM_JUDGE"


def _source(judgement: Judgement) -> str:
    model = judgement.call.model_served or judgement.call.model_requested
    return f"goldpan:{judgement.judge}@{judgement.judge_version} {model}"


def _age(judgement: Judgement) -> tuple[int, int, int, str]:
    key = judgement.key
    return key.epoch, judgement.revision or 0, judgement.judged_at, judgement.judgement_id


def _if_set(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}


def _run_id(trace_id: str) -> str:
    try:
        return str(UUID(trace_id))
    except ValueError:
        return _uuid(trace_id)


def _uuid(text: str) -> str:
    return str(uuid5(RELEASE_NAMESPACE, text))
