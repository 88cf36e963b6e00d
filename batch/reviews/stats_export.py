"""The state of the queue for machines: JSON, and metrics in the text format of Prometheus."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from labels.queue_stats import reviewer_pair_stats, reviewer_stats, segment_stats
from labels.review_queue import QueueStats, ReviewQueue, SegmentKey


def queue_stats_json(queue: ReviewQueue, now: int) -> dict[str, Any]:
    """Return the whole state at ``now`` (microseconds since 1970, UTC)."""
    stats = queue.stats(now)
    return {
        **stats._asdict(),
        "open_by_arm": dict(stats.open_by_arm),
        "reviewers": [tally._asdict() for tally in reviewer_stats(queue)],
        "pairs": [tally._asdict() for tally in reviewer_pair_stats(queue)],
        "segments": [
            {**tally._asdict(), "segment": segment_json(tally.segment)}
            for tally in segment_stats(queue, now)
        ],
    }


def segment_json(segment: SegmentKey) -> dict[str, Any]:
    """Return the app and the segments of a trace."""
    app, segments = segment
    return {"app": app, **dict(segments)}


def queue_stats_prometheus(stats: QueueStats) -> bytes:
    """Return the state as metrics, for a textfile collector or a scrape through an exporter."""
    registry = CollectorRegistry()
    depth = Gauge(
        "goldpan_review_open", "Items that wait for a reviewer.", ["arm"], registry=registry
    )
    for arm in ("audit", "uncertain"):
        depth.labels(arm).set(stats.open_by_arm.get(arm, 0))
    numbers: Sequence[tuple[str, str, float | None]] = (
        ("goldpan_review_claimed", "Open items that a reviewer holds.", stats.claimed),
        ("goldpan_review_oldest_seconds", "Age of the oldest open item.", stats.oldest_seconds),
        ("goldpan_review_breached", "Open items past their deadline.", stats.breached),
        (
            "goldpan_review_without_trace",
            "Items that are not handed out, since their trace has not come.",
            stats.without_trace,
        ),
        ("goldpan_review_reviewed", "Traces that have a review.", stats.reviewed),
        (
            "goldpan_review_reviewed_late",
            "Traces whose first review came after their deadline.",
            stats.reviewed_late,
        ),
        ("goldpan_review_disputed", "Traces that reviewers do not agree on.", stats.disputed),
        (
            "goldpan_review_agreement",
            "Krippendorff's alpha of all reviews; missing where it is not defined.",
            stats.alpha,
        ),
    )
    for name, meaning, value in numbers:
        if value is not None:
            Gauge(name, meaning, registry=registry).set(value)
    return generate_latest(registry)
