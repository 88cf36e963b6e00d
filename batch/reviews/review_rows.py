"""Rows of the table ``reviews``: what each step of the queue adds."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from labels.review_log import Review, ReviewClaim, review_id_of
from schemas.arrow import record_schema
from schemas.contract import CONTRACTS

ReviewRow = dict[str, Any]
"""A row by column, without provenance; ``policy`` is that of its texts, if it has any."""


def build_claim_row(claim: ReviewClaim, label_event_id: str, now: int) -> ReviewRow:
    """Return the row of a claim that is made at ``now``."""
    return {
        "review_id": review_id_of(claim.trace_id, claim.reviewer),
        "trace_id": claim.trace_id,
        "step": "claim",
        "reviewer": claim.reviewer,
        "occurred_at": now,
        "lease_until": claim.until,
        "label_event_id": label_event_id,
    }


def build_review_row(
    review: Review,
    *,
    comment: str | None,
    label_event_id: str,
    submission: str | None,
    policy: str | None,
) -> ReviewRow:
    """Return the row of a review."""
    return {
        "review_id": review.review_id,
        "trace_id": review.trace_id,
        "step": "review",
        "reviewer": review.reviewer,
        "occurred_at": review.reviewed_at,
        "verdict": review.label,
        "expected_response": review.expected_response,
        "comment": comment,
        "audit_probability": review.audit_probability,
        "label_event_id": label_event_id,
        "submission": submission,
        "policy": policy,
    }


def build_review_columns(
    rows: Sequence[ReviewRow], *, without_text: str
) -> tuple[list[pa.Array], list[str]]:
    """Return the columns of the contract, and the redaction policy of each row."""
    columns = [
        pa.array([row.get(field.name) for row in rows], field.type)
        for field in record_schema(CONTRACTS["review"])
    ]
    return columns, [row.get("policy") or without_text for row in rows]
