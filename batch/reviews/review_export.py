"""Exports the review queue: reviews as JSON lines, its state as JSON and as metrics."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from batch.reviews.answer_table import StoredAnswers
from batch.reviews.review_table import read_commented_reviews, read_review_log
from judges.gate.answer_queue import NO_ANSWERS, AnswerCounts
from labels.queue_stats import (
    QueueStats,
    queue_stats,
    reviewer_pair_stats,
    reviewer_stats,
    segment_stats,
)
from labels.review_queue import ReviewQueue, SegmentKey
from lake.tables import Table
from schemas.times import format_rfc3339, from_micros

WITHDRAW_VERDICT: Final = "withdraw"
"""The verdict of a review that withdraws the one before it."""


def export_reviews(reviews: Table) -> Iterator[dict[str, Any]]:
    """Yield each review with the outcome of its trace, in the order of the table.

    The table is as of its last refresh. Reviews that were replaced or withdrawn are marked.
    """
    log = read_review_log(reviews).log
    outcomes, latest = log.outcomes(), log.latest_by_id()
    for commented in read_commented_reviews(reviews):
        review = commented.review
        yield {
            "review_id": review.review_id,
            "trace_id": review.trace_id,
            "reviewer": review.reviewer,
            "verdict": review.label or WITHDRAW_VERDICT,
            "replaced": latest[review.review_id] != review,
            "comment": commented.comment,
            "expected_response": review.expected_response,
            "reviewed_at": format_rfc3339(from_micros(review.reviewed_at)),
            "audit_probability": review.audit_probability,
            "label_event_id": commented.label_event_id,
            "outcome": outcomes.get(review.trace_id),
        }


def export_answer_reviews(stored: StoredAnswers) -> Iterator[dict[str, Any]]:
    """Yield each review of a candidate's answer, in the order of the table.

    ``trace_id`` is the row of the release that was answered. Reviews that were replaced or
    withdrawn are marked.
    """
    outcomes, latest = stored.log.outcomes(), stored.log.latest_by_id()
    for review, comment in stored.comments:
        answer = stored.answers[review.trace_id]
        yield {
            "answer_id": answer.answer_id,
            "reviewer": review.reviewer,
            "verdict": review.label or WITHDRAW_VERDICT,
            "replaced": latest[review.review_id] != review,
            "comment": comment,
            "reviewed_at": format_rfc3339(from_micros(review.reviewed_at)),
            "outcome": outcomes.get(answer.answer_id),
            "metric": answer.metric,
            "probability": answer.probability,
            "release": answer.source.release,
            "candidate_digest": answer.source.candidate_digest,
            "baseline_digest": answer.source.baseline_digest,
            "side": answer.side,
            "trace_id": answer.trace_id,
        }


def queue_stats_json(queue: ReviewQueue, now: int) -> dict[str, Any]:
    """Return the state of the queue at ``now`` (microseconds since 1970, UTC)."""
    stats = queue_stats(queue, now)
    return {
        **stats._asdict(),
        "open_by_arm": dict(stats.open_by_arm),
        "reviewers": [each._asdict() for each in reviewer_stats(queue)],
        "pairs": [each._asdict() for each in reviewer_pair_stats(queue)],
        "segments": [
            {**each._asdict(), "segment": segment_json(each.segment)}
            for each in segment_stats(queue, now)
        ],
    }


def segment_json(segment: SegmentKey) -> dict[str, Any]:
    """Return the app and the segments of a trace."""
    app, segments = segment
    return {"app": app, **dict(segments)}


def queue_stats_prometheus(stats: QueueStats, answers: AnswerCounts = NO_ANSWERS) -> bytes:
    """Return the state as metrics in the Prometheus text format; ``answers`` are candidates'."""
    registry = CollectorRegistry()
    depth = Gauge(
        "goldpan_review_open", "Items that wait for a reviewer.", ["arm"], registry=registry
    )
    for arm in ("audit", "uncertain"):
        depth.labels(arm).set(stats.open_by_arm.get(arm, 0))
    asked = Gauge(
        "goldpan_review_answers",
        "Answers of candidates that gates asked reviewers about.",
        ["state"],
        registry=registry,
    )
    for state in ("open", "claimed", "reviewed", "undecided"):
        asked.labels(state).set(getattr(answers, state))
    gauges: Sequence[tuple[str, str, float | None]] = (
        ("goldpan_review_claimed", "Open items claimed by a reviewer.", stats.claimed),
        ("goldpan_review_oldest_seconds", "Age of the oldest open item.", stats.oldest_seconds),
        ("goldpan_review_breached", "Open items past their deadline.", stats.breached),
        (
            "goldpan_review_without_trace",
            "Items that are not handed out because their trace has not arrived.",
            stats.without_trace,
        ),
        ("goldpan_review_reviewed", "Traces that have a review.", stats.reviewed),
        (
            "goldpan_review_reviewed_late",
            "Traces whose first review came after their deadline.",
            stats.reviewed_late,
        ),
        ("goldpan_review_disputed", "Traces on which reviewers disagree.", stats.disputed),
        (
            "goldpan_review_agreement",
            "Krippendorff's alpha of all reviews; absent where it is undefined.",
            stats.alpha,
        ),
    )
    for name, description, value in gauges:
        if value is not None:
            Gauge(name, description, registry=registry).set(value)
    return generate_latest(registry)
