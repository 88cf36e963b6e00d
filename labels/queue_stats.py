"""Statistics of the review queue: in total, by reviewer, by pair of reviewers and by segment."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from labels.agreement import cohen_kappa, krippendorff_alpha
from labels.review_log import CurrentReview
from labels.review_queue import ReviewArm, ReviewQueue, SegmentKey, segment_of


class QueueStats(NamedTuple):
    """The queue at one moment. Ages are in seconds; ``alpha`` is Krippendorff's (None: undefined).

    ``breached``: open items past their deadline. ``reviewed_late``: traces that were first reviewed
    after theirs. ``without_trace``: items not handed out because their trace has not arrived.
    """

    open: int
    open_by_arm: Mapping[ReviewArm, int]
    claimed: int
    oldest_seconds: float
    breached: int
    reviewed: int
    reviewed_late: int
    disputed: int
    alpha: float | None
    without_trace: int = 0


class ReviewerStats(NamedTuple):
    """The reviews of one reviewer.

    ``agreed`` is the share of them that match the joint outcome, among ``shared`` traces that
    several reviewers have judged; None if there are none.
    """

    reviewer: str
    reviews: int
    failed: int
    shared: int
    agreed: float | None


class ReviewerPairStats(NamedTuple):
    """The agreement of two reviewers on the traces that both judged.

    ``kappa`` is Cohen's, None where it is undefined.
    """

    first: str
    second: str
    traces: int
    kappa: float | None


class SegmentStats(NamedTuple):
    """The queue in one segment; ``failed`` of the ``reviewed`` traces were judged bad."""

    segment: SegmentKey
    open: int
    breached: int
    reviewed: int
    failed: int


def queue_stats(queue: ReviewQueue, now: int) -> QueueStats:
    """Return the state of the queue; claims on items that are no longer open do not count."""
    claims, reviews = queue.log.active_claims(now), queue.log.by_trace()
    first: dict[str, int] = {}
    for review in queue.log.reviews:
        at = review.reviewed_at
        first[review.trace_id] = min(at, first.get(review.trace_id, at))
    return QueueStats(
        open=len(queue.items),
        open_by_arm=Counter(item.arm for item in queue.items),
        claimed=sum(item.trace_id in claims for item in queue.items),
        oldest_seconds=max((now - item.opened_at for item in queue.items), default=0) / 1e6,
        breached=sum(item.deadline <= now for item in queue.items),
        reviewed=len(reviews),
        reviewed_late=sum(
            first[trace_id] > queue.deadlines.get(trace_id, first[trace_id]) for trace_id in reviews
        ),
        disputed=sum(outcome == "disputed" for outcome in queue.log.outcomes().values()),
        alpha=krippendorff_alpha([[r.label for r in rs] for rs in reviews.values()]),
        without_trace=queue.without_trace,
    )


def reviewer_stats(queue: ReviewQueue) -> list[ReviewerStats]:
    """Return the statistics of each reviewer, the one with the most reviews first."""
    outcomes, by_trace = queue.log.outcomes(), queue.log.by_trace()
    by_reviewer: dict[str, list[CurrentReview]] = defaultdict(list)
    for reviews in by_trace.values():
        for review in reviews:
            by_reviewer[review.reviewer].append(review)
    stats = []
    for reviewer, own in by_reviewer.items():
        shared = [r for r in own if len(by_trace[r.trace_id]) > 1]
        agreed = sum(outcomes[r.trace_id] == r.label for r in shared)
        stats.append(
            ReviewerStats(
                reviewer=reviewer,
                reviews=len(own),
                failed=sum(r.label == "fail" for r in own),
                shared=len(shared),
                agreed=agreed / len(shared) if shared else None,
            )
        )
    return sorted(stats, key=lambda each: (-each.reviews, each.reviewer))


def reviewer_pair_stats(queue: ReviewQueue) -> list[ReviewerPairStats]:
    """Return the agreement of every two reviewers that have judged a trace in common."""
    labels: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for reviews in queue.log.by_trace().values():
        ordered = sorted(reviews, key=lambda review: review.reviewer)
        for first, second in combinations(ordered, 2):
            labels[first.reviewer, second.reviewer].append((first.label, second.label))
    return [
        ReviewerPairStats(*reviewers, len(pairs), cohen_kappa(pairs))
        for reviewers, pairs in sorted(labels.items())
    ]


def segment_stats(queue: ReviewQueue, now: int) -> list[SegmentStats]:
    """Return the queue by segment, the one with the most open items first."""
    outcomes = queue.log.outcomes()
    opened = Counter(item.segment for item in queue.items)
    breached = Counter(item.segment for item in queue.items if item.deadline <= now)
    segment_by_trace: Mapping[str, SegmentKey] = {
        trace_id: segment_of(queue.events[trace_id])
        for trace_id in outcomes
        if trace_id in queue.events
    }
    reviewed = Counter(segment_by_trace.values())
    failed = Counter(
        segment for trace_id, segment in segment_by_trace.items() if outcomes[trace_id] == "fail"
    )
    segments: Sequence[SegmentKey] = sorted(
        {*opened, *reviewed}, key=lambda segment: (-opened[segment], segment[0] or "", segment[1])
    )
    return [SegmentStats(s, opened[s], breached[s], reviewed[s], failed[s]) for s in segments]
