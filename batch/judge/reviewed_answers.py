"""The traces that reviewers judged, as far as they agree: what judges are compared with.

Reviews alone, never labels: those may rest on the judge itself.
"""

from collections.abc import Mapping
from typing import NamedTuple

from batch.reviews.review_table import read_review_log
from labels.agreement import adjudicate
from labels.review_log import ReviewLog
from lake.tables import Table


class ReviewedAnswer(NamedTuple):
    """What reviewers say of a trace.

    ``probability`` is that with which it was drawn for review, None if it came from the queue of
    uncertain traces.
    """

    good: bool
    probability: float | None


def read_reviewed_answers(reviews: Table) -> Mapping[str, ReviewedAnswer]:
    """Return the reviewed traces as of the table's last refresh, by trace id.

    Traces that reviewers disagree about, or that they could not judge, are left out.
    """
    return reviewed_answers(read_review_log(reviews).log)


def reviewed_answers(log: ReviewLog) -> Mapping[str, ReviewedAnswer]:
    """Return the reviewed traces of a log of reviews, by trace id."""
    reviewed = {}
    for trace_id, reviews in log.by_trace().items():
        label = adjudicate([review.label for review in reviews])
        if label not in ("pass", "fail"):
            continue
        drawn = [r.audit_probability for r in reviews if r.audit_probability]
        reviewed[trace_id] = ReviewedAnswer(label == "pass", min(drawn) if drawn else None)
    return reviewed
