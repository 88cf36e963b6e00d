"""The review queue as a pure model: the open items, their order, and the effect of a review.

The open items follow from the label events and the log of reviews alone. Times are microseconds
since 1970 (UTC).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from labels.decision import events_in_force
from labels.digests import audit_draw, digest_id
from labels.policy import LabelPolicy
from labels.review_log import Review, ReviewClaim, ReviewLog
from labels.review_steps import (
    MICROS_PER_MINUTE,
    accept_review,
    choose_claims,
    reviews_needed,
)
from schemas.errors import UsageError
from schemas.records import LabelEvent

ReviewArm = Literal["audit", "uncertain"]
SegmentKey = tuple[str | None, tuple[tuple[str, str], ...]]


class QueueItem(NamedTuple):
    """An open item. ``needed`` is the number of reviews that it still needs."""

    trace_id: str
    label_event_id: str
    arm: ReviewArm
    p_fail: float
    segment: SegmentKey
    opened_at: int
    deadline: int
    needed: int


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """The queue that follows from all label events and reviews. Immutable.

    ``without_trace`` counts items that are not handed out because their trace has not arrived.
    """

    policy: LabelPolicy
    log: ReviewLog
    events: Mapping[str, LabelEvent]
    deadlines: Mapping[str, int]
    items: Sequence[QueueItem]
    without_trace: int = 0

    def ranked(self, now: int) -> list[QueueItem]:
        """Return the open items in the order in which reviewers should get them.

        The audit arm gets ``review.audit_share`` of all reviews as long as it has items. Its own
        order is that of the draw, so that its reviewed items are a random sample at any time. The
        others come by expected value: how uncertain the label is, and more for segments with few
        reviews. Items past their deadline come before the rest.
        """
        seed, shortage = self.policy.audit.seed, self._shortages()
        audit = sorted(
            (item for item in self.items if item.arm == "audit"),
            key=lambda item: (audit_draw(digest_id(item.trace_id, seed)), item.trace_id),
        )
        uncertain = sorted(
            (item for item in self.items if item.arm == "uncertain"),
            key=lambda item: (item.deadline > now, -review_value(item, shortage), item.trace_id),
        )
        reviews = self.log.current_reviews()
        audited = sum(review.audit_probability is not None for review in reviews)
        share = self.policy.review.audit_share
        return _interleave(audit, uncertain, audited, len(reviews), share)

    def next_claims(
        self, reviewer: str, now: int, count: int
    ) -> list[tuple[QueueItem, ReviewClaim]]:
        """Return the next items for a reviewer, at most ``count``, with the claims to append.

        Items that the reviewer already holds come first, with a renewed lease. An item is given to
        no more reviewers than it still needs, and to none who has judged it.
        """
        items = {item.trace_id: item for item in self.items}
        claims = choose_claims(
            {trace_id: item.needed for trace_id, item in items.items()},
            (item.trace_id for item in self.ranked(now)),
            self.log,
            self.policy.review,
            reviewer=reviewer,
            now=now,
            count=count,
        )
        return [(items[claim.trace_id], claim) for claim in claims]

    def submit(self, review: Review, *, force: bool = False) -> Review | None:
        """Return the row to append for a review; None if the log contains it already.

        A review after the end of its lease is accepted too, so that no work is lost. It replaces
        the reviewer's earlier review of the trace; a label of None withdraws that one. ``force``
        appends a row even if label and answer are unchanged. Raises UsageError for a trace without
        a label event, and if there is nothing to withdraw.
        """
        event = self.events.get(review.trace_id)
        if event is None:
            raise UsageError("there is no label event for this trace: nothing to review.")
        accepted = accept_review(self.log, review, force=force)
        if accepted is None:
            return None
        return accepted._replace(audit_probability=event.audit_probability)

    def _shortages(self) -> Mapping[SegmentKey, float]:
        """Return the shortage of reviews by segment: 1 without any, 0 with as many as any other."""
        counts = Counter(dict.fromkeys((item.segment for item in self.items), 0))
        events = (self.events.get(review.trace_id) for review in self.log.current_reviews())
        counts.update(segment_of(event) for event in events if event is not None)
        most = max(counts.values(), default=0)
        return {segment: 1 - count / most if most else 0.0 for segment, count in counts.items()}


def build_queue(events: Iterable[LabelEvent], log: ReviewLog, policy: LabelPolicy) -> ReviewQueue:
    """Return the queue; ``events`` are all label events, of every revision.

    The first event of a trace that is routed to reviewers opens its item and sets the deadline,
    which later revisions do not change. The item closes when enough reviewers agree, or when the
    label in force is no longer uncertain and no reviewer has begun. An audit closes only by
    reviews.
    """
    events = list(events)
    opened: dict[str, int] = {}
    for event in events:
        if event.route != "auto":
            first = opened.get(event.trace_id, event.decided_at)
            opened[event.trace_id] = min(first, event.decided_at)
    in_force = events_in_force(events)
    wait = int(policy.review.deadline_hours * 60 * MICROS_PER_MINUTE)
    deadlines = {trace_id: at + wait for trace_id, at in opened.items()}
    reviews_by_trace, items = log.by_trace(), []
    for trace_id, at in opened.items():
        event, reviews = in_force[trace_id], reviews_by_trace.get(trace_id, [])
        needed = reviews_needed(reviews, policy.review)
        if needed and (reviews or event.route != "auto"):
            items.append(
                QueueItem(
                    trace_id=trace_id,
                    label_event_id=event.label_event_id,
                    arm="audit" if event.route == "audit" else "uncertain",
                    p_fail=event.p_fail,
                    segment=segment_of(event),
                    opened_at=at,
                    deadline=deadlines[trace_id],
                    needed=needed,
                )
            )
    return ReviewQueue(policy, log, in_force, deadlines, items)


def review_value(item: QueueItem, shortage: Mapping[SegmentKey, float]) -> float:
    """Return the expected value of a review: 4 p (1 - p), up to doubled by its segment's shortage.

    Without evidence about costs, the variance of the label is what a review removes.
    """
    return 4 * item.p_fail * (1 - item.p_fail) * (1 + shortage.get(item.segment, 0.0))


def segment_of(event: LabelEvent) -> SegmentKey:
    """Return the app and the segments of a trace."""
    return (event.app, tuple(sorted(event.segments.items())))


def _interleave(
    audit: list[QueueItem],
    uncertain: list[QueueItem],
    audited: int,
    reviewed: int,
    share: float,
) -> list[QueueItem]:
    """Merge so that the audit arm has its share of all reviews, including those already made."""
    audit, uncertain, merged = audit[::-1], uncertain[::-1], []
    while audit or uncertain:
        behind = audited < share * (reviewed + 1)
        from_audit = bool(audit) and (behind or not uncertain)
        merged.append((audit if from_audit else uncertain).pop())
        audited, reviewed = audited + from_audit, reviewed + 1
    return merged
