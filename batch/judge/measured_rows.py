"""Rows as metrics measure them: with the verdicts of judges, and without their texts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from sys import intern
from typing import Any, Protocol

import msgspec

from batch.judge.judge_plan import JudgePlan
from batch.judge.judge_record import JudgeRecord
from batch.judge.known_judgements import KnownJudgements
from batch.judge.subjects import JudgeSubject
from judges.checks.citations import check_citations
from judges.checks.lexical_relevance import lexical_relevance
from judges.checks.tool_calls import is_failed_call
from judges.checks.tool_schemas import ATTRIBUTES
from judges.judged_row import JudgedRow
from judges.metrics.metric import MeasuredRow, MetricVerdict
from judges.metrics.report import CITATIONS
from judges.outcome import JudgeAnswer
from schemas.records import EARLIEST_MICROS, Retrieved, ToolCall
from schemas.times import from_micros


class VerdictSource(Protocol):
    """Gives a judge's verdict on a row, None where it has not judged it."""

    def verdict_on(self, subject: JudgeSubject) -> MetricVerdict | None:
        """Return the verdict on a row."""

    def to_json(self) -> dict[str, Any]:
        """Return who judged, as JSON."""


@dataclass(slots=True)
class PlannedVerdicts:
    """The stored judgements of a judge's file, each of exactly what the row holds.

    Checks and the local model answer here, since they cost nothing. Nothing is stored.
    """

    plan: JudgePlan
    known: KnownJudgements
    _rows: int = 0
    _epochs: dict[int, int] = field(default_factory=dict)

    def verdict_on(self, subject: JudgeSubject) -> MetricVerdict | None:
        """Return the verdict on a row."""
        task = self.plan.tasks_of(subject)[0]
        answer, epoch = task.answer, None
        if answer is None:
            known = self.known.find(task.key)
            if known is None:
                return None
            answer, epoch = known.answer, known.epoch
        self._rows += 1
        if epoch is not None:
            self._epochs[epoch] = self._epochs.get(epoch, 0) + 1
        return MetricVerdict(answer, self.plan.way.kind)

    def to_json(self) -> dict[str, Any]:
        """Return who judged, how many rows, and in which epochs of the served model."""
        definition, way = self.plan.definition, self.plan.way
        return {
            "judge": definition.judge,
            "version": definition.version,
            "way": way.kind,
            "model": way.model,
            "rows": self._rows,
            "epochs": {str(epoch): count for epoch, count in sorted(self._epochs.items())},
        }


class RecordedVerdicts:
    """The verdicts of another evaluation, by the id of the row."""

    def __init__(self, record: JudgeRecord) -> None:
        self._identity = record.identity
        self._answers: dict[str, JudgeAnswer] = {row.trace_id: row.answer for row in record.rows}
        self._rows = 0

    def verdict_on(self, subject: JudgeSubject) -> MetricVerdict | None:
        """Return the verdict on a row."""
        answer = self._answers.get(subject.trace_id)
        if answer is None:
            return None
        self._rows += 1
        return MetricVerdict(answer, None)

    def to_json(self) -> dict[str, Any]:
        """Return who judged, and how many rows."""
        return {
            "judge": self._identity.judge,
            "version": None,
            "way": None,
            "model": self._identity.model,
            "rows": self._rows,
            "epochs": {},
        }


def measured_row(subject: JudgeSubject, sources: Mapping[str, VerdictSource]) -> MeasuredRow:
    """Return a row with the verdicts of ``sources``, which are by the names that metrics use.

    Documents are relevant by the check of words, and citations exist by their check.
    """
    row = subject.row
    verdicts = {CITATIONS: MetricVerdict(check_citations(row), "check")}
    for name, source in sources.items():
        verdict = source.verdict_on(subject)
        if verdict is not None:
            verdicts[name] = verdict
    return MeasuredRow(
        row=without_texts(row),
        weighted=subject.weighted,
        verdicts=verdicts,
        relevant=lexical_relevance(row),
    )


def without_texts(row: JudgedRow) -> JudgedRow:
    """Return what metrics measure of a row, so that a month of rows takes little memory.

    Calls keep their arguments, and whether they failed. Equal definitions of tools are kept once.
    """
    calls = [
        ToolCall(
            id=str(at),
            name=call.name,
            arguments=call.arguments,
            error="failed" if is_failed_call(call) else None,
        )
        for at, call in enumerate(row.tool_calls)
    ]
    held = row.trace.attributes
    trace = msgspec.structs.replace(
        row.trace,
        messages=[],
        response=None,
        error_message=None,
        retrieved=[Retrieved(document_id=each.document_id) for each in row.trace.retrieved],
        tool_calls=calls,
        attributes={name: intern(held[name]) for name in ATTRIBUTES if calls and name in held},
    )
    return JudgedRow(trace, None, row.expected_documents, row.revision, row.expected_calls)


def sessions_of(rows: Iterable[MeasuredRow]) -> set[str]:
    """Return the sessions of rows."""
    return {session for row in rows if (session := row.row.trace.session_id) is not None}


def days_of(rows: Iterable[MeasuredRow]) -> tuple[date, date] | None:
    """Return the first and the last day (UTC) on which rows started, None where none says."""
    starts = [row.row.trace.started_at for row in rows]
    known = [start for start in starts if start != EARLIEST_MICROS]
    if not known:
        return None
    return from_micros(min(known)).date(), from_micros(max(known)).date()


def with_retries(rows: Iterable[MeasuredRow], retried: Mapping[str, bool]) -> list[MeasuredRow]:
    """Return rows with whether their user repeated the call, by trace id."""
    return [replace(row, retried=retried.get(row.row.trace.trace_id)) for row in rows]
