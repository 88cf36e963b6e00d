"""Redacts the texts of reviewers, in the same way as feedback."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from lake.table_log import REVIEW_SEQUENCE
from redact.pipeline.redactor import Redactor
from schemas.record_batches import RecordKind, batch_records
from schemas.records import Feedback

_NO_ID: Final = "-"


class ReviewTexts(NamedTuple):
    """A comment and an expected response; either may be missing."""

    comment: str | None
    expected_response: str | None


class RedactedReviewTexts(NamedTuple):
    """The texts after redaction, with the hash of the policy; or ``problem``, a sentence."""

    texts: ReviewTexts
    policy: str
    problem: str | None = None


def redact_review_texts(
    redactor: Redactor, texts: Sequence[ReviewTexts], *, now: int
) -> list[RedactedReviewTexts]:
    """Redact each of the texts; ``now`` is in microseconds since 1970 (UTC).

    A problem names the rule and the field, and contains nothing of the text.
    """
    records = [_as_feedback(text, now) for text in texts]
    decoded = batch_records(RecordKind.FEEDBACK, REVIEW_SEQUENCE, records)
    outcome = redactor.redact(decoded, ingested_at=now)
    redacted: dict[int, RedactedReviewTexts] = {}
    for rejected in outcome.rejected:
        problem = f"{rejected.detail} ({rejected.field or rejected.reason})"
        redacted[rejected.raw.offset] = RedactedReviewTexts(
            ReviewTexts(None, None), redactor.policy_hash, problem
        )
    for row in outcome.rows.value.select(["_offset", "comment", "corrected_response"]).to_pylist():
        review_texts = ReviewTexts(row["comment"], row["corrected_response"])
        redacted[row["_offset"]] = RedactedReviewTexts(review_texts, outcome.rows.policy)
    return [redacted[index] for index in range(len(texts))]


def _as_feedback(text: ReviewTexts, now: int) -> Feedback:
    return Feedback(
        feedback_id=_NO_ID,
        trace_id=_NO_ID,
        kind="correction",
        comment=text.comment,
        corrected_response=text.expected_response,
        actor="reviewer",
        occurred_at=now,
    )
