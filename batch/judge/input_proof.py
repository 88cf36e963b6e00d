"""Proves that nothing personal is in what a judge would be sent.

Stored rows are redacted. Before one leaves, it is redacted again, under the policy of today: what
would be sent must stay as it is. So a row that was stored under a weaker policy, or that never was
redacted, does not leave.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar

import msgspec

from judges.definition import JudgeDefinition
from judges.judged_row import JudgedRow
from judges.render import JudgeQuestion, ask
from redact.pipeline.redactor import Redactor
from schemas.record_batches import RecordKind, batch_records
from schemas.records import Feedback, Trace

_NO_TOPIC: Final = "#judge"
_NO_ID: Final = "-"

_RecordT = TypeVar("_RecordT", bound=msgspec.Struct)


class InputProof(Protocol):
    """Decides which questions may leave."""

    def passes(self, rows: Sequence[JudgedRow], questions: Sequence[JudgeQuestion]) -> list[bool]:
        """Return for each row whether its question holds nothing that redaction would replace."""


class RedactionProof:
    """The proof by redaction under one policy; ``now`` in microseconds since 1970 (UTC)."""

    def __init__(self, redactor: Redactor, definition: JudgeDefinition, now: int) -> None:
        self._redactor, self._definition, self._now = redactor, definition, now

    def passes(self, rows: Sequence[JudgedRow], questions: Sequence[JudgeQuestion]) -> list[bool]:
        """Return for each row whether its question holds nothing that redaction would replace."""
        traces = self._redacted([row.trace for row in rows], RecordKind.TRACE, Trace)
        expected = self._redacted(
            [_expectation(row, self._now) for row in rows], RecordKind.FEEDBACK, Feedback
        )
        proved = []
        for row, question, trace, feedback in zip(rows, questions, traces, expected, strict=True):
            if trace is None or feedback is None:
                proved.append(False)
                continue
            again = ask(
                self._definition,
                replace(row, trace=trace, expected_response=feedback.corrected_response),
            )
            proved.append(isinstance(again, JudgeQuestion) and again.data == question.data)
        return proved

    def _redacted(
        self, records: Sequence[_RecordT], kind: RecordKind, form: type[_RecordT]
    ) -> list[_RecordT | None]:
        return redacted_again(self._redactor, records, kind, form, self._now)


def redacted_again(
    redactor: Redactor,
    records: Sequence[_RecordT],
    kind: RecordKind,
    form: type[_RecordT],
    now: int,
) -> list[_RecordT | None]:
    """Return copies of redacted records, redacted again; None for a rejected one."""
    copies = [msgspec.convert(msgspec.to_builtins(record), form) for record in records]
    outcome = redactor.redact_again(batch_records(kind, _NO_TOPIC, copies), ingested_at=now)
    rejected = {each.raw.offset for each in outcome.rejected}
    return [None if at in rejected else copy for at, copy in enumerate(copies)]


def _expectation(row: JudgedRow, now: int) -> Feedback:
    return Feedback(
        feedback_id=_NO_ID,
        trace_id=_NO_ID,
        kind="correction",
        corrected_response=row.expected_response,
        actor="reviewer",
        occurred_at=now,
    )
