"""Wraps stored rows of tables and releases into records that redaction can process.

Traces, feedback and spans become what they were. The texts and ids of other rows are put into
fields of a trace or of feedback that the policy treats alike: a reviewer's comment becomes a
comment.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.arrow import (
    ANSWER_REVIEWS_TABLE,
    JUDGEMENTS_TABLE,
    LABELS_TABLE,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
    SPANS_TABLE,
)
from schemas.record_batches import RecordKind
from schemas.records import Feedback, Message, StoredSpan, Trace

PLACEHOLDER_ID: Final = "-"
_ANY_TIME: Final = 1_000_000_000_000_000  # redaction ignores times

StoredRow = Mapping[str, Any]


class CarrierRecord(NamedTuple):
    """A record that holds texts of a row, and its kind."""

    kind: RecordKind
    record: Any


def wrap_row(table: str, row: StoredRow) -> list[CarrierRecord]:
    """Return the records that hold all texts of a row of a table, including kept ids.

    Raises msgspec.ValidationError, whose text must not be shown, if a row is not a valid record.
    """
    return list(_WRAPPERS[table](row))


def wrap_release_row(row: StoredRow) -> list[CarrierRecord]:
    """Return the same for a row of a release; errors as `wrap_row`."""
    return [*_trace(row), *_correction(row["label_event_id"], row["expected_response"], row)]


def _trace(row: StoredRow) -> Iterator[CarrierRecord]:
    yield CarrierRecord(RecordKind.TRACE, _convert(row, Trace))


def _feedback(row: StoredRow) -> Iterator[CarrierRecord]:
    yield CarrierRecord(RecordKind.FEEDBACK, _convert(row, Feedback))


def _span(row: StoredRow) -> Iterator[CarrierRecord]:
    yield CarrierRecord(RecordKind.SPAN, _convert(row, StoredSpan))


def _label(row: StoredRow) -> Iterator[CarrierRecord]:
    feedback_ids = [evidence["feedback_id"] for evidence in row["evidence"] or ()]
    yield CarrierRecord(
        RecordKind.TRACE,
        Trace(
            trace_id=row["trace_id"],
            request_id=row["label_event_id"],
            app=row["app"] or PLACEHOLDER_ID,
            started_at=_ANY_TIME,
            status="ok",
            messages=[
                Message(role=PLACEHOLDER_ID, tool_call_id=id_) for id_ in feedback_ids if id_
            ],
            segments=dict(row["segments"] or ()),
        ),
    )
    yield from _correction(row["label_event_id"], row["expected_response"], row)


def _correction(event_id: str | None, text: str | None, row: StoredRow) -> Iterator[CarrierRecord]:
    """Yield what a reviewer or user expected as the response, if anything."""
    if text:
        feedback = _make_feedback(
            event_id or PLACEHOLDER_ID, row["trace_id"], corrected_response=text
        )
        yield CarrierRecord(RecordKind.FEEDBACK, feedback)


def _review(row: StoredRow) -> Iterator[CarrierRecord]:
    feedback = _make_feedback(
        row["review_id"],
        row["trace_id"],
        session_id=row["submission"],
        user_id=row["reviewer"],
        comment=row["comment"],
        corrected_response=row["expected_response"],
    )
    yield CarrierRecord(RecordKind.FEEDBACK, feedback)


def _judgement(row: StoredRow) -> Iterator[CarrierRecord]:
    feedback = _make_feedback(
        row["judgement_id"],
        row["trace_id"],
        session_id=row["cluster"],
        comment=row["rationale"],
    )
    yield CarrierRecord(RecordKind.FEEDBACK, feedback)


def _answer_review(row: StoredRow) -> Iterator[CarrierRecord]:
    yield CarrierRecord(
        RecordKind.TRACE,
        Trace(
            trace_id=row["trace_id"],
            request_id=row["answer_id"],
            session_id=row["submission"],
            user_id=row["reviewer"],
            app=PLACEHOLDER_ID,
            started_at=_ANY_TIME,
            status="ok",
            messages=[Message(role=PLACEHOLDER_ID, content=row["conversation"])],
            response=row["response"],
        ),
    )
    if row["comment"]:
        feedback = _make_feedback(row["answer_id"], row["trace_id"], comment=row["comment"])
        yield CarrierRecord(RecordKind.FEEDBACK, feedback)


def _quarantined(row: StoredRow) -> Iterator[CarrierRecord]:
    """Yield quarantine's sentence about a record; its sealed payload is not scanned."""
    yield CarrierRecord(
        RecordKind.TRACE,
        Trace(
            trace_id=PLACEHOLDER_ID,
            app=PLACEHOLDER_ID,
            started_at=_ANY_TIME,
            status="error",
            error_type=row["field"],
            error_message=row["detail"],
        ),
    )


_WRAPPERS: Final[Mapping[str, Callable[[StoredRow], Iterator[CarrierRecord]]]] = {
    "traces": _trace,
    "feedback": _feedback,
    SPANS_TABLE: _span,
    LABELS_TABLE: _label,
    REVIEWS_TABLE: _review,
    JUDGEMENTS_TABLE: _judgement,
    ANSWER_REVIEWS_TABLE: _answer_review,
    QUARANTINE_TABLE: _quarantined,
}
TABLES_WITH_TEXT: Final = tuple(_WRAPPERS)
"""The tables with texts; the audit holds only coordinates, types and counts."""


def _make_feedback(feedback_id: str, trace_id: str, **fields: Any) -> Feedback:
    return Feedback(
        feedback_id=feedback_id,
        trace_id=trace_id,
        kind="correction",
        actor="reviewer",
        occurred_at=_ANY_TIME,
        **fields,
    )


def _convert(row: StoredRow, kind: type[msgspec.Struct]) -> Any:
    """Return a row as a record of a kind. Columns that its file lacks count as empty."""
    fields = {name: row[name] for name in kind.__struct_fields__ if row.get(name) is not None}
    for name in ("segments", "attributes"):
        if name in fields and not isinstance(fields[name], str):
            fields[name] = dict(fields[name])
    return msgspec.convert(fields, kind)
