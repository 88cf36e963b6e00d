"""The rows of a release with the answers of a candidate, redacted: what a judge is asked about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from batch.gate.gate_lines import CandidateLine
from batch.judge.subjects import JudgeSubject
from batch.release.format.rows import json_rows
from judges.judged_row import judged_row_of
from redact.pipeline.redactor import Redactor
from schemas.record_batches import RecordKind, batch_records
from schemas.records import EARLIEST_MICROS, Trace

_TOPIC: Final = "#candidate"
_TEXTS: Final = ("messages", "response", "tool_calls", "retrieved")
_LABELS: Final = ("label", "p_fail", "confidence", "route", "error_type", "error_message", "salt")
"""Columns of a release that say something of the answer that the candidate's takes the place of."""


def redacted_answers(
    redactor: Redactor, lines: Mapping[str, CandidateLine], now: int
) -> dict[str, dict[str, Any]]:
    """Return the answers of lines without an error, by row, redacted as in production.

    ``now`` is in microseconds since 1970 (UTC). An answer that redaction refuses is left out.
    """
    held = [line for line in lines.values() if line.error is None]
    traces = [
        Trace(
            trace_id=line.row,
            app="",
            started_at=EARLIEST_MICROS,
            status="ok",
            messages=[msgspec.structs.replace(message) for message in line.messages or []],
            response=line.response,
            tool_calls=[msgspec.structs.replace(call) for call in line.tool_calls or []],
            retrieved=[msgspec.structs.replace(document) for document in line.retrieved or []],
        )
        for line in held
    ]
    if not traces:
        return {}
    outcome = redactor.redact(batch_records(RecordKind.TRACE, _TOPIC, traces), ingested_at=now)
    rows = outcome.rows.value.select(["trace_id", *_TEXTS]).to_pylist()
    return {row["trace_id"]: {name: row[name] for name in _TEXTS} for row in rows}


def answered_rows(
    table: pa.Table, lines: Mapping[str, CandidateLine], answers: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a release with these answers in place of their own, as JSON values."""
    for row in json_rows(table):
        answer, line = answers.get(row["trace_id"]), lines.get(row["trace_id"])
        if answer is None or line is None:
            continue
        kept = {name: value for name, value in row.items() if name not in _LABELS}
        yield kept | {
            "status": "ok",
            "messages": row["messages"] if line.messages is None else answer["messages"],
            "response": answer["response"],
            "tool_calls": answer["tool_calls"] or [],
            "retrieved": row["retrieved"] if line.retrieved is None else answer["retrieved"],
            "latency_ms": line.latency_ms,
            "cost_usd": line.cost_usd,
            "input_tokens": line.input_tokens,
            "output_tokens": line.output_tokens,
        }


def answered_subjects(rows: Sequence[Mapping[str, Any]]) -> Iterator[JudgeSubject]:
    """Yield rows as a judge's run would read them from a file."""
    for row in rows:
        yield JudgeSubject(judged_row_of(row), "file", cluster=row.get("session_id"))
