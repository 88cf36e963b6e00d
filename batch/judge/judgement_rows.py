"""The rows of table ``judgements``: made from judgements and claims, and read back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from batch.numbered_rows import WITHOUT_TEXT
from judges.judgement import CallFacts, Judgement, JudgementKey
from judges.outcome import JudgeAnswer
from schemas.arrow import JUDGEMENTS_TABLE, TABLES, record_schema
from schemas.contract import CONTRACTS

JudgementRow = Mapping[str, Any]
"""A row by column, without provenance; times in microseconds since 1970 (UTC)."""

CLAIM: Final = "claim"
JUDGEMENT: Final = "judgement"
READ_COLUMNS: Final = tuple(
    name for name in TABLES[JUDGEMENTS_TABLE].arrow.names if not name.startswith("_")
)


class StoredRationale(NamedTuple):
    """A redacted rationale, and the hash of the policy that redacted it."""

    text: str
    policy: str


def judgement_row(judgement: Judgement) -> JudgementRow:
    """Return the row of a judgement; its rationale must be redacted."""
    key, answer, call = judgement.key, judgement.answer, judgement.call
    return {
        "judgement_id": judgement.judgement_id,
        "step": JUDGEMENT,
        "judge": judgement.judge,
        "judge_version": judgement.judge_version,
        "judge_digest": key.judge_digest,
        "way": judgement.way,
        "subject_kind": key.kind,
        "subject": key.subject,
        "trace_id": judgement.trace_id,
        "revision": judgement.revision,
        "input_digest": key.input_digest,
        "epoch": key.epoch,
        "repeat": key.repeat,
        "attempt": judgement.attempt,
        "call_id": call.call_id,
        "judged_at": judgement.judged_at,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "p_fail": answer.p_fail,
        "failure_mode": answer.failure_mode,
        "rationale": judgement.rationale,
        "model_requested": call.model_requested,
        "model_served": call.model_served,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": call.cost_usd,
        "latency_ms": call.latency_ms,
        "cached_from": call.cached_from,
        "run_id": judgement.run_id,
        "arm": judgement.arm,
        "probability": judgement.probability,
        "threshold": judgement.threshold,
        "release": judgement.release,
        "candidate_digest": judgement.candidate_digest,
        "app": judgement.app,
        "prompt_version": judgement.prompt_version,
        "model_version": judgement.model_version,
        "cluster": judgement.cluster,
        "segments": dict(judgement.segments),
    }


def claim_row(  # noqa: PLR0913 - one for each fact
    key: JudgementKey, *, judge: str, trace_id: str, run_id: str, now: int, until: int
) -> JudgementRow:
    """Return the row that claims a judgement from ``now`` ``until`` a time."""
    return {
        "judgement_id": key.judgement_id,
        "step": CLAIM,
        "judge": judge,
        "judge_digest": key.judge_digest,
        "subject_kind": key.kind,
        "subject": key.subject,
        "trace_id": trace_id,
        "input_digest": key.input_digest,
        "epoch": key.epoch,
        "repeat": key.repeat,
        "judged_at": now,
        "lease_until": until,
        "run_id": run_id,
        "segments": {},
    }


def judgement_columns(
    rows: Sequence[JudgementRow], policy: str = WITHOUT_TEXT
) -> tuple[list[pa.Array], list[str]]:
    """Return the columns of the contract, and the redaction policy of each row.

    ``policy`` is that of the rows with a rationale.
    """
    columns = [
        pa.array([_value(row.get(field.name)) for row in rows], field.type)
        for field in record_schema(CONTRACTS["judgement"])
    ]
    policies = [policy if row.get("rationale") is not None else WITHOUT_TEXT for row in rows]
    return columns, policies


def stored_answer(row: Mapping[str, Any]) -> JudgeAnswer:
    """Return the answer that a stored row holds."""
    return JudgeAnswer(row["outcome"], row["reason"], row["p_fail"], row["failure_mode"])


def stored_judgement(row: Mapping[str, Any]) -> Judgement:
    """Return a judgement from a row of the table; times as microseconds since 1970 (UTC)."""
    return Judgement(
        key=JudgementKey(
            row["judge_digest"],
            row["subject"],
            row["input_digest"],
            row["epoch"],
            row["repeat"],
            row["subject_kind"],
        ),
        judge=row["judge"],
        judge_version=row["judge_version"],
        way=row["way"],
        answer=stored_answer(row),
        call=CallFacts(
            row["model_requested"],
            row["model_served"],
            row["input_tokens"],
            row["output_tokens"],
            row["cost_usd"],
            row["latency_ms"],
            row["call_id"],
            row["cached_from"],
        ),
        trace_id=row["trace_id"],
        run_id=row["run_id"],
        judged_at=row["judged_at"],
        attempt=row["attempt"],
        revision=row["revision"],
        arm=row["arm"],
        probability=row["probability"],
        threshold=row["threshold"],
        release=row["release"],
        candidate_digest=row["candidate_digest"],
        rationale=row["rationale"],
        app=row["app"],
        prompt_version=row["prompt_version"],
        model_version=row["model_version"],
        cluster=row["cluster"],
        segments=dict(row["segments"] or ()),
    )


def _value(value: Any) -> Any:
    return list(value.items()) if isinstance(value, dict) else value
