"""Reviews as lines of JSON, each with what the reviewers of its trace decided together."""

from collections.abc import Iterator
from typing import Any, Final

from batch.reviews.review_table import read_commented_reviews, read_review_log
from lake.tables import Table
from schemas.times import format_rfc3339, from_micros

WITHDRAW_VERDICT: Final = "withdraw"
"""Stands for the verdict of a review that takes back the one before it."""


def export_reviews(reviews: Table) -> Iterator[dict[str, Any]]:
    """Yield each review, in the order in which they came, as of the table's last refresh.

    Those that their reviewer has replaced since, or taken back, are marked.
    """
    log = read_review_log(reviews).log
    outcomes, last = log.outcomes(), log.last()
    for remark in read_commented_reviews(reviews):
        review = remark.review
        yield {
            "review_id": review.review_id,
            "trace_id": review.trace_id,
            "reviewer": review.reviewer,
            "verdict": review.label or WITHDRAW_VERDICT,
            "replaced": last[review.review_id] != review,
            "comment": remark.comment,
            "expected_response": review.expected_response,
            "reviewed_at": format_rfc3339(from_micros(review.reviewed_at)),
            "audit_probability": review.audit_probability,
            "label_event_id": remark.label_event_id,
            "outcome": outcomes.get(review.trace_id),
        }
