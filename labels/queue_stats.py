"""The review queue by reviewer and by segment: who does how much, and whether they agree."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from labels.agreement import cohen_kappa
from labels.review_log import CurrentReview
from labels.review_queue import ReviewQueue, SegmentKey, segment_of


class ReviewerStats(NamedTuple):
    """What one reviewer has done.

    ``agreed`` is the share of their reviews that say what the reviewers of the trace decided
    together, among traces that several have judged; None if there are none.
    """

    reviewer: str
    reviews: int
    failed: int
    shared: int
    agreed: float | None


class ReviewerPairStats(NamedTuple):
    """How two reviewers agree on what both have judged; ``kappa`` is Cohen's, None: undefined."""

    first: str
    second: str
    traces: int
    kappa: float | None


class SegmentStats(NamedTuple):
    """The queue in one segment; ``failed`` of the ``reviewed`` traces were found bad."""

    segment: SegmentKey
    open: int
    breached: int
    reviewed: int
    failed: int


def reviewer_stats(queue: ReviewQueue) -> list[ReviewerStats]:
    """Return what each reviewer has done, the busiest first."""
    outcomes, by_trace = queue.log.outcomes(), queue.log.by_trace()
    reviews: dict[str, list[CurrentReview]] = defaultdict(list)
    for theirs in by_trace.values():
        for review in theirs:
            reviews[review.reviewer].append(review)
    tallies = []
    for reviewer, mine in reviews.items():
        shared = [r for r in mine if len(by_trace[r.trace_id]) > 1]
        agreed = sum(outcomes[r.trace_id] == r.label for r in shared)
        tallies.append(
            ReviewerStats(
                reviewer=reviewer,
                reviews=len(mine),
                failed=sum(r.label == "fail" for r in mine),
                shared=len(shared),
                agreed=agreed / len(shared) if shared else None,
            )
        )
    return sorted(tallies, key=lambda tally: (-tally.reviews, tally.reviewer))


def reviewer_pair_stats(queue: ReviewQueue) -> list[ReviewerPairStats]:
    """Return how each two reviewers agree that have judged a trace in common."""
    said: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for reviews in queue.log.by_trace().values():
        ordered = sorted(reviews, key=lambda review: review.reviewer)
        for one, other in combinations(ordered, 2):
            said[one.reviewer, other.reviewer].append((one.label, other.label))
    return [
        ReviewerPairStats(*pair, len(pairs), cohen_kappa(pairs))
        for pair, pairs in sorted(said.items())
    ]


def segment_stats(queue: ReviewQueue, now: int) -> list[SegmentStats]:
    """Return the queue by segment, the one with the most open items first."""
    outcomes = queue.log.outcomes()
    opened = Counter(item.segment for item in queue.items)
    breached = Counter(item.segment for item in queue.items if item.deadline <= now)
    places: Mapping[str, SegmentKey] = {
        trace_id: segment_of(queue.events[trace_id])
        for trace_id in outcomes
        if trace_id in queue.events
    }
    reviewed = Counter(places.values())
    failed = Counter(place for trace_id, place in places.items() if outcomes[trace_id] == "fail")
    segments: Sequence[SegmentKey] = sorted(
        {*opened, *reviewed}, key=lambda one: (-opened[one], one[0] or "", one[1])
    )
    return [SegmentStats(s, opened[s], breached[s], reviewed[s], failed[s]) for s in segments]
