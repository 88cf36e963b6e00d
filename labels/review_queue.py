"""The review queue as a pure model: what is open, who gets it next, and what a review changes.

The open items follow from the label events and the log of reviews alone. Times are microseconds
since 1970 (UTC).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from labels.agreement import adjudicate, krippendorff_alpha
from labels.decision import events_in_force
from labels.digests import audit_draw, digest_id
from labels.policy import LabelPolicy
from labels.review_log import CurrentReview, Review, ReviewClaim, ReviewLog, review_id_of
from schemas.errors import UsageError
from schemas.records import LabelEvent

ReviewArm = Literal["audit", "uncertain"]
SegmentKey = tuple[str | None, tuple[tuple[str, str], ...]]

MICROS_PER_MINUTE: Final = 60_000_000
EXTRA_REVIEWERS: Final = 3
"""So many more than the policy asks for may judge a disputed item, one after the other."""


class QueueItem(NamedTuple):
    """An open item. ``needed``: how many more reviews it takes."""

    trace_id: str
    label_event_id: str
    arm: ReviewArm
    p_fail: float
    segment: SegmentKey
    opened_at: int
    deadline: int
    needed: int


class QueueStats(NamedTuple):
    """The queue at one moment. Ages in seconds; ``alpha`` is Krippendorff's (None: not defined).

    ``breached``: open items past their deadline; ``reviewed_late``: traces that were first reviewed
    after theirs; ``without_trace``: items that are not handed out, since their trace has not come.
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


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """The queue as it follows from everything that is known; no method changes it."""

    policy: LabelPolicy
    log: ReviewLog
    events: Mapping[str, LabelEvent]
    deadlines: Mapping[str, int]
    items: Sequence[QueueItem]
    without_trace: int = 0

    def ranked(self, now: int) -> list[QueueItem]:
        """Return the open items in the order in which reviewers should have them.

        The audit arm gets ``review.audit_share`` of all reviews while there is something in it. Its
        own order is that of the draw, so that what has been reviewed of it is a random sample at
        any time. The others come by expected value: how uncertain the label is, more for segments
        with few reviews; what is past its deadline comes before the rest.
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
        made = self.log.standing()
        audited = sum(review.audit_probability is not None for review in made)
        share = self.policy.review.audit_share
        return _interleaved(audit, uncertain, audited, len(made), share)

    def claim(self, reviewer: str, now: int) -> tuple[QueueItem, ReviewClaim] | None:
        """Return the next item for a reviewer, and the claim to append; None if there is nothing.

        Asking again before the lease ends gives the same item, for longer. No item is given to more
        reviewers than it still needs, nor to one who has judged it.
        """
        return next(iter(self.claims(reviewer, now, 1)), None)

    def claims(self, reviewer: str, now: int, count: int) -> list[tuple[QueueItem, ReviewClaim]]:
        """Return at most ``count`` items for a reviewer, as `claim` does one after the other."""
        reviews, held = self.log.by_trace(), self.log.held(now)
        mine = [item for item in self.items if reviewer in held.get(item.trace_id, ())]
        until = now + int(self.policy.review.lease_minutes * MICROS_PER_MINUTE)
        found: dict[str, tuple[QueueItem, ReviewClaim]] = {}
        for item in [*mine, *self.ranked(now)]:
            if len(found) == count:
                break
            judged_by = {review.reviewer for review in reviews.get(item.trace_id, [])}
            others = held.get(item.trace_id, set()) - {reviewer} - judged_by
            if reviewer not in judged_by and len(others) < item.needed:
                found.setdefault(item.trace_id, (item, ReviewClaim(item.trace_id, reviewer, until)))
        return list(found.values())

    def submit(self, review: Review, *, more: bool = False) -> Review | None:
        """Return the row to append for a review; None if the log holds it already.

        A review after the end of its lease is taken too: nobody's work is thrown away. What the
        reviewer said of the trace before is replaced, or taken back by a label of None; ``more``
        says that something is new of which the log does not know. Raises UsageError for a trace
        without a label event, and if there is nothing to take back.
        """
        event = self.events.get(review.trace_id)
        if event is None:
            raise UsageError("there is no label event for this trace: nothing to review.")
        if review.review_id != review_id_of(review.trace_id, review.reviewer):
            raise UsageError("the id of the review does not belong to this trace and reviewer.")
        last = self.log.last_of(review.review_id)
        if review.label is None and (last is None or last.label is None):
            raise UsageError("this reviewer has no review of this trace to take back.")
        at = review.reviewed_at
        if last is not None:
            same = (last.label, last.expected_response) == (review.label, review.expected_response)
            if same and not more:
                return None
            at = max(at, last.reviewed_at + 1)  # the last word is later, whatever clocks say
        return review._replace(reviewed_at=at, audit_probability=event.audit_probability)

    def stats(self, now: int) -> QueueStats:
        """Return the state of the queue; claims on items that are no longer open do not count."""
        held, by_trace = self.log.held(now), self.log.by_trace()
        first: dict[str, int] = {}
        for review in self.log.reviews:
            at = review.reviewed_at
            first[review.trace_id] = min(at, first.get(review.trace_id, at))
        return QueueStats(
            open=len(self.items),
            open_by_arm=Counter(item.arm for item in self.items),
            claimed=sum(item.trace_id in held for item in self.items),
            oldest_seconds=max((now - item.opened_at for item in self.items), default=0) / 1e6,
            breached=sum(item.deadline <= now for item in self.items),
            reviewed=len(by_trace),
            reviewed_late=sum(
                first[trace_id] > self.deadlines.get(trace_id, first[trace_id])
                for trace_id in by_trace
            ),
            disputed=sum(outcome == "disputed" for outcome in self.log.outcomes().values()),
            alpha=krippendorff_alpha([[r.label for r in rs] for rs in by_trace.values()]),
            without_trace=self.without_trace,
        )

    def _shortages(self) -> Mapping[SegmentKey, float]:
        """Return, for each segment of open items, from 1 (no review yet) to 0 (as many as any)."""
        counts = Counter(dict.fromkeys((item.segment for item in self.items), 0))
        traces = (self.events.get(review.trace_id) for review in self.log.standing())
        counts.update(segment_of(event) for event in traces if event is not None)
        most = max(counts.values(), default=0)
        return {segment: 1 - count / most if most else 0.0 for segment, count in counts.items()}


def build_queue(events: Iterable[LabelEvent], log: ReviewLog, policy: LabelPolicy) -> ReviewQueue:
    """Return the queue; ``events`` are all label events, of every revision.

    An item is opened by the first event of its trace that is routed to reviewers, and keeps that
    deadline when later evidence revises the label. It closes when enough reviewers agree, or when
    the label in force is no longer uncertain and nobody has begun. An audit closes only by reviews.
    """
    events = list(events)
    opened: dict[str, int] = {}
    for event in events:
        if event.route != "auto":
            first = opened.get(event.trace_id, event.decided_at)
            opened[event.trace_id] = min(first, event.decided_at)
    last = events_in_force(events)
    wait = int(policy.review.deadline_hours * 60 * MICROS_PER_MINUTE)
    deadlines = {trace_id: at + wait for trace_id, at in opened.items()}
    reviews, items = log.by_trace(), []
    for trace_id, at in opened.items():
        event, done = last[trace_id], reviews.get(trace_id, [])
        needed = _needed(done, policy)
        if needed and (done or event.route != "auto"):
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
    return ReviewQueue(policy, log, last, deadlines, items)


def review_value(item: QueueItem, shortage: Mapping[SegmentKey, float]) -> float:
    """Return the expected value of a review: 4 p (1 - p), up to doubled by its segment's shortage.

    Without evidence about costs, the variance of the label is what a review removes.
    """
    return 4 * item.p_fail * (1 - item.p_fail) * (1 + shortage.get(item.segment, 0.0))


def _needed(done: Sequence[CurrentReview], policy: LabelPolicy) -> int:
    asked = policy.review.reviewers
    if len(done) < asked:
        return asked - len(done)
    disputed = adjudicate([review.label for review in done]) == "disputed"
    return 1 if disputed and len(done) < asked + EXTRA_REVIEWERS else 0


def segment_of(event: LabelEvent) -> SegmentKey:
    """Return the app and the segments of a trace."""
    return (event.app, tuple(sorted(event.segments.items())))


def _interleaved(
    audit: list[QueueItem], uncertain: list[QueueItem], audited: int, reviewed: int, share: float
) -> list[QueueItem]:
    """Merge so that the audit arm has its share of all reviews, those already made included."""
    audit, uncertain, merged = audit[::-1], uncertain[::-1], []
    while audit or uncertain:
        behind = audited < share * (reviewed + 1)
        from_audit = bool(audit) and (behind or not uncertain)
        merged.append((audit if from_audit else uncertain).pop())
        audited, reviewed = audited + from_audit, reviewed + 1
    return merged
