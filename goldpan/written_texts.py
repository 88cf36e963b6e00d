"""Redacts what reviewers and judges wrote."""

from collections.abc import Sequence

from batch.reviews.review_texts import RedactedReviewTexts, ReviewTexts, redact_review_texts
from goldpan import wiring
from redact.policies.settings import RedactSettings


def redact_written_texts(
    settings: RedactSettings, texts: Sequence[ReviewTexts], now: int
) -> list[RedactedReviewTexts]:
    """Return redacted texts; ``now`` in microseconds since 1970 (UTC).

    Where there are none, the engine is not loaded, which takes seconds.
    """
    if not any(text.comment or text.expected_response for text in texts):
        return [RedactedReviewTexts(text, "") for text in texts]
    return redact_review_texts(wiring.load_redaction(settings).redactor, texts, now=now)
