"""What reviewers write, taken through redaction as feedback is: the same policy, the same proof."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from lake.table_log import REVIEW_SEQUENCE
from redact.pipeline.redactor import Redactor
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Feedback

_NOBODY: Final = "-"


class ReviewTexts(NamedTuple):
    """A comment and an answer, either of which may be missing."""

    comment: str | None
    expected_response: str | None


class RedactedReviewTexts(NamedTuple):
    """The same after redaction, with the hash of the policy; or ``problem``, a sentence."""

    written: ReviewTexts
    policy: str
    problem: str | None = None


def redact_review_texts(
    redactor: Redactor, texts: Sequence[ReviewTexts], *, now: int
) -> list[RedactedReviewTexts]:
    """Return what came of each; ``now`` in microseconds since 1970 (UTC).

    A problem names the rule and the field, and holds nothing of the text.
    """
    decoded = DecodedBatch(
        kind=RecordKind.FEEDBACK,
        topic=REVIEW_SEQUENCE,
        records=[_as_feedback(text, now) for text in texts],
        partitions=[0] * len(texts),
        offsets=list(range(len(texts))),
        schema_ids=[""] * len(texts),
        raws=[RawRecord(0, number, -1, None, None) for number in range(len(texts))],
    )
    outcome = redactor.redact(decoded, ingested_at=now)
    clean: dict[int, RedactedReviewTexts] = {}
    for one in outcome.rejected:
        problem = f"{one.detail} ({one.field or one.reason})"
        clean[one.raw.offset] = RedactedReviewTexts(
            ReviewTexts(None, None), redactor.policy_hash, problem
        )
    for row in outcome.rows.value.select(["_offset", "comment", "corrected_response"]).to_pylist():
        written = ReviewTexts(row["comment"], row["corrected_response"])
        clean[row["_offset"]] = RedactedReviewTexts(written, outcome.rows.policy)
    return [clean[number] for number in range(len(texts))]


def _as_feedback(text: ReviewTexts, now: int) -> Feedback:
    return Feedback(
        feedback_id=_NOBODY,
        trace_id=_NOBODY,
        kind="correction",
        comment=text.comment,
        corrected_response=text.expected_response,
        actor="reviewer",
        occurred_at=now,
    )
