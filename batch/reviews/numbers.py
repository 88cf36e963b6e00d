"""The state of the queue for machines: JSON, and metrics in the text format of Prometheus."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from labels.queue import Queue, Segment, Stats
from labels.tallies import by_pair, by_reviewer, by_segment


def as_json(queue: Queue, now: int) -> dict[str, Any]:
    """Return the whole state at ``now`` (microseconds since 1970, UTC)."""
    stats = queue.stats(now)
    return {
        **stats._asdict(),
        "open_by_arm": dict(stats.open_by_arm),
        "reviewers": [tally._asdict() for tally in by_reviewer(queue)],
        "pairs": [tally._asdict() for tally in by_pair(queue)],
        "segments": [
            {**tally._asdict(), "segment": segment_json(tally.segment)}
            for tally in by_segment(queue, now)
        ],
    }


def segment_json(segment: Segment) -> dict[str, Any]:
    """Return the app and the segments of a trace."""
    app, segments = segment
    return {"app": app, **dict(segments)}


def as_prometheus(stats: Stats) -> bytes:
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
