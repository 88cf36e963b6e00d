"""Reads the table ``reviews`` as the log of the review queue, and builds its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa

from labels.review_log import Review, ReviewClaim, ReviewLog, review_id_of
from lake.tables import Table
from schemas.arrow import record_schema
from schemas.contract import CONTRACTS

ReviewRow = dict[str, Any]
"""A row by column, without provenance; ``policy`` is that of its texts, if it has any."""

_TIMES: Final = ("occurred_at", "lease_until")
_COLUMNS: Final = (
    "review_id",
    "trace_id",
    "step",
    "reviewer",
    *_TIMES,
    "verdict",
    "expected_response",
    "audit_probability",
    "submission",
)


class StoredReviews(NamedTuple):
    """The contents of the table.

    ``submissions`` are the reviews with a submission id, by the hash of that id. ``texts`` are the
    answers that reviewers gave, with the hash of the redaction policy of each. ``comments`` are the
    latest comments by review id.
    """

    log: ReviewLog
    submissions: Mapping[str, Review]
    texts: Mapping[str, str]
    comments: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class CommentedReview:
    """A review with the columns that the queue does not use."""

    review: Review
    comment: str | None
    label_event_id: str | None


def read_review_log(table: Table) -> StoredReviews:
    """Return all claims and reviews as of the table's last refresh."""
    rows = sorted(
        _read_rows(table, (*_COLUMNS, "comment", "_policy", "_offset")),
        key=lambda row: int(row["_offset"]),
    )
    answers = [(row["expected_response"], row["_policy"]) for row in rows]
    return StoredReviews(
        ReviewLog(
            claims=tuple(_claim(row) for row in rows if row["step"] == "claim"),
            reviews=tuple(_review(row) for row in rows if row["step"] == "review"),
        ),
        {row["submission"]: _review(row) for row in rows if row["submission"] is not None},
        {text: policy for text, policy in answers if text is not None},
        {row["review_id"]: row["comment"] for row in rows if row["step"] == "review"},
    )


def read_commented_reviews(table: Table) -> list[CommentedReview]:
    """Return all reviews with their comments, in the order of the table."""
    rows = _read_rows(table, (*_COLUMNS, "comment", "label_event_id", "_offset"))
    return [
        CommentedReview(_review(row), row["comment"], row["label_event_id"])
        for row in sorted(rows, key=lambda row: int(row["_offset"]))
        if row["step"] == "review"
    ]


def build_claim_row(claim: ReviewClaim, label_event_id: str, now: int) -> ReviewRow:
    """Return the row of a claim made at ``now``."""
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


def _read_rows(table: Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    columnar = table.read(columns)
    for name in _TIMES:
        at = columnar.schema.get_field_index(name)
        columnar = columnar.set_column(at, name, columnar[name].cast(pa.int64()))
    rows: list[dict[str, Any]] = columnar.to_pylist()
    return rows


def _claim(row: Mapping[str, Any]) -> ReviewClaim:
    return ReviewClaim(row["trace_id"], row["reviewer"], row["lease_until"])


def _review(row: Mapping[str, Any]) -> Review:
    return Review(
        review_id=row["review_id"],
        trace_id=row["trace_id"],
        reviewer=row["reviewer"],
        label=row["verdict"],
        reviewed_at=row["occurred_at"],
        expected_response=row["expected_response"],
        audit_probability=row["audit_probability"],
    )
