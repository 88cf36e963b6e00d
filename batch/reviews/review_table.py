"""The table ``reviews`` as the log that the queue works on, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa

from labels.review_log import Review, ReviewClaim, ReviewLog
from lake.tables import Table

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
    """Reviews as the table has them.

    ``submissions`` are the reviews that came under an id of their sender's, by the hash of that id,
    ``texts`` the answers that reviewers gave, with the hash of the redaction policy of each,
    ``comments`` what each reviewer said last, by review id.
    """

    log: ReviewLog
    submissions: Mapping[str, Review]
    texts: Mapping[str, str]
    comments: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class CommentedReview:
    """A review with what the queue does not look at."""

    review: Review
    comment: str | None
    label_event_id: str | None


def read_review_log(table: Table) -> StoredReviews:
    """Return all claims and reviews as of the table's last refresh."""
    rows = sorted(
        _rows(table, (*_COLUMNS, "comment", "_policy", "_offset")),
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
    """Return all reviews with their comments, in the order in which they came."""
    rows = _rows(table, (*_COLUMNS, "comment", "label_event_id", "_offset"))
    return [
        CommentedReview(_review(row), row["comment"], row["label_event_id"])
        for row in sorted(rows, key=lambda row: int(row["_offset"]))
        if row["step"] == "review"
    ]


def _rows(table: Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    found = table.read(columns)
    for name in _TIMES:
        at = found.schema.get_field_index(name)
        found = found.set_column(at, name, found[name].cast(pa.int64()))
    rows: list[dict[str, Any]] = found.to_pylist()
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
