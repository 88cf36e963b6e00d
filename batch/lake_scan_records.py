"""Stored rows as records that redaction knows: those of every table, and those of a release.

A trace and a remark are what they were. The texts and ids of other rows are laid into a trace or a
remark where the policy treats them alike: what a reviewer wrote goes the way of a comment.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.arrow import LABELS_TABLE, QUARANTINE_TABLE, REVIEWS_TABLE
from schemas.record_batches import RecordKind
from schemas.records import Feedback, Message, Trace

PLACEHOLDER_ID: Final = "-"
_SOME_TIME: Final = 1_000_000_000_000_000  # of no meaning: redaction does not look at times

StoredRow = Mapping[str, Any]


class CarrierRecord(NamedTuple):
    """A record that holds texts of a row, and its kind."""

    kind: RecordKind
    record: Any


def wrap_row(table: str, row: StoredRow) -> list[CarrierRecord]:
    """Return the records that hold all texts of a row of a table, kept ids included.

    Raises msgspec.ValidationError, whose text must not be shown, if a row is no record.
    """
    return list(_MADE[table](row))


def wrap_release_row(row: StoredRow) -> list[CarrierRecord]:
    """Return the same for a row of a release; errors as `wrap_row`."""
    return [*_trace(row), *_said(row["label_event_id"], row["expected_response"], row)]


def _trace(row: StoredRow) -> Iterator[CarrierRecord]:
    yield CarrierRecord(RecordKind.TRACE, _converted(row, Trace))


def _feedback(row: StoredRow) -> Iterator[CarrierRecord]:
    yield CarrierRecord(RecordKind.FEEDBACK, _converted(row, Feedback))


def _label(row: StoredRow) -> Iterator[CarrierRecord]:
    remarks = [one["feedback_id"] for one in row["evidence"] or ()]
    yield CarrierRecord(
        RecordKind.TRACE,
        Trace(
            trace_id=row["trace_id"],
            request_id=row["label_event_id"],
            app=row["app"] or PLACEHOLDER_ID,
            started_at=_SOME_TIME,
            status="ok",
            messages=[Message(role=PLACEHOLDER_ID, tool_call_id=one) for one in remarks if one],
            segments=dict(row["segments"] or ()),
        ),
    )
    yield from _said(row["label_event_id"], row["expected_response"], row)


def _said(event: str | None, text: str | None, row: StoredRow) -> Iterator[CarrierRecord]:
    """Yield what somebody said should have been answered, if anything."""
    if text:
        said = _remark(event or PLACEHOLDER_ID, row["trace_id"], corrected_response=text)
        yield CarrierRecord(RecordKind.FEEDBACK, said)


def _review(row: StoredRow) -> Iterator[CarrierRecord]:
    said = _remark(
        row["review_id"],
        row["trace_id"],
        session_id=row["submission"],
        user_id=row["reviewer"],
        comment=row["comment"],
        corrected_response=row["expected_response"],
    )
    yield CarrierRecord(RecordKind.FEEDBACK, said)


def _aside(row: StoredRow) -> Iterator[CarrierRecord]:
    """Yield what quarantine says of a record; its payload is sealed, and no row of the lake."""
    yield CarrierRecord(
        RecordKind.TRACE,
        Trace(
            trace_id=PLACEHOLDER_ID,
            app=PLACEHOLDER_ID,
            started_at=_SOME_TIME,
            status="error",
            error_type=row["field"],
            error_message=row["detail"],
        ),
    )


_MADE: Final[Mapping[str, Callable[[StoredRow], Iterator[CarrierRecord]]]] = {
    "traces": _trace,
    "feedback": _feedback,
    LABELS_TABLE: _label,
    REVIEWS_TABLE: _review,
    QUARANTINE_TABLE: _aside,
}
TABLES_WITH_TEXT: Final = tuple(_MADE)
"""The tables that hold texts; the audit holds coordinates, types and counts only."""


def _remark(feedback_id: str, trace_id: str, **fields: Any) -> Feedback:
    return Feedback(
        feedback_id=feedback_id,
        trace_id=trace_id,
        kind="correction",
        actor="reviewer",
        occurred_at=_SOME_TIME,
        **fields,
    )


def _converted(row: StoredRow, kind: type[msgspec.Struct]) -> Any:
    """Return a row as a record of a kind. A column that its file lacks is as if it were empty."""
    fields = {name: row[name] for name in kind.__struct_fields__ if row.get(name) is not None}
    for name in ("segments", "attributes"):
        if name in fields:
            fields[name] = dict(fields[name])
    return msgspec.convert(fields, kind)
