"""Rules that a type cannot express: times written as text, and values of votes and ratings.

They run once for each record, after the typed decoder, and cost next to nothing for a usual record.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.reasons import QuarantineReason
from schemas.record_batches import RecordKind
from schemas.records import EARLIEST_MICROS, LATEST_MICROS, Feedback, StoredSpan, Trace
from schemas.times import to_micros


class RuleBreach(NamedTuple):
    """A rule that a record breaks. ``detail`` is a sentence without content of the record."""

    reason: QuarantineReason
    field: str
    detail: str


RecordNormalizer = Callable[[Any], RuleBreach | None]
"""Converts the times of a record to microseconds, in place; returns the broken rule, if any."""

TIME_RULE: Final = "must lie between 2000-01-01 and 2100-01-01 (UTC)"


def normalize_start(record: Trace | StoredSpan) -> RuleBreach | None:
    """Convert ``started_at`` of a trace or a span to microseconds since 1970 (UTC)."""
    if record.started_at.__class__ is int:
        return None
    record.started_at = to_micros(_moment(record.started_at))
    return _time_breach("started_at", record.started_at)


def normalize_feedback(feedback: Feedback) -> RuleBreach | None:
    """Convert the time of a feedback event, and check its value against its kind."""
    if feedback.occurred_at.__class__ is not int:
        feedback.occurred_at = to_micros(_moment(feedback.occurred_at))
        if breach := _time_breach("occurred_at", feedback.occurred_at):
            return breach
    if feedback.value is None:
        return None
    return _value_breach(feedback.kind, feedback.value)


NORMALIZERS: Final[Mapping[RecordKind, RecordNormalizer]] = {
    RecordKind.TRACE: normalize_start,
    RecordKind.FEEDBACK: normalize_feedback,
    RecordKind.SPAN: normalize_start,
}
"""The normalizer of each kind of record."""


def _moment(decoded: Any) -> datetime:
    """Return a time written as text, which the decoder leaves as a ``datetime`` with a zone."""
    moment: datetime = decoded
    return moment


def _time_breach(field: str, micros: int) -> RuleBreach | None:
    if EARLIEST_MICROS <= micros <= LATEST_MICROS:
        return None
    return RuleBreach(QuarantineReason.OUT_OF_RANGE, field, f"`{field}` {TIME_RULE}.")


def _value_breach(kind: str, value: float) -> RuleBreach | None:
    if kind == "thumbs" and value not in (-1.0, 0.0, 1.0):
        return RuleBreach(
            QuarantineReason.OUT_OF_RANGE, "value", "`value` of thumbs must be -1, 0 or +1."
        )
    if kind == "rating" and not 0.0 <= value <= 1.0:
        return RuleBreach(
            QuarantineReason.OUT_OF_RANGE, "value", "`value` of a rating must be from 0 to 1."
        )
    return None
