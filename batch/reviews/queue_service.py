"""The review queue service: claims items and stores reviews for concurrent reviewers.

Each step reads the log of reviews and decides which rows to add. They are added only if the log has
not grown in the meantime (`batch.numbered_rows`); otherwise the step is repeated over the newer
log. So no item goes to more reviewers than the policy asks for, and a review that is sent twice is
stored once.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from batch.numbered_rows import WITHOUT_TEXT, NumberedRows
from batch.reviews.open_items import ReviewableItems, read_routed_events, read_trace_events
from batch.reviews.review_table import (
    ReviewRow,
    StoredReviews,
    build_claim_row,
    build_review_columns,
    build_review_row,
    read_review_log,
)
from batch.reviews.submissions import (
    ReviewSubmission,
    SentBefore,
    SubmissionReport,
    plan_reviews,
)
from labels.decision import check_clock
from labels.policy import LabelPolicy
from labels.review_log import Review, ReviewLog
from labels.review_queue import QueueItem, ReviewQueue, build_queue
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind
from lake.table_commit import CommitContext, Condition
from lake.table_log import REVIEW_SEQUENCE
from lake.tables import Lake
from schemas.records import LabelEvent


class ClaimedItem(NamedTuple):
    """An item claimed for a reviewer until ``until`` (microseconds since 1970, UTC)."""

    item: QueueItem
    until: int


class ReviewQueueService:
    """Serves the review queue of one lake."""

    def __init__(self, lake: Lake, policy: LabelPolicy, context: CommitContext) -> None:
        self._policy, self._context = policy, context
        self._labels, self._traces = lake.table("labels"), lake.table("traces")
        self._rows = NumberedRows(lake.table("reviews"), REVIEW_SEQUENCE, EntryKind.REVIEW, context)

    def queue(self) -> ReviewQueue:
        """Return the current queue."""
        self._rows.refresh_position()
        log = self._read().log
        return self._reviewable_items().filter_queue(
            build_queue(self._events(log), log, self._policy)
        )

    def claim(self, reviewer: str, count: int) -> list[ClaimedItem]:
        """Claim at most ``count`` items for a reviewer (a pseudonym), those already held first.

        Raises FatalError if the clock is wrong or the lake stays unavailable.
        """
        events: Sequence[LabelEvent] = ()
        guards: Sequence[Condition] = ()
        reviewable = self._reviewable_items()
        while True:
            now, at = check_clock(self._context.now_us()), self._rows.refresh_position()
            log = self._read().log
            if not guards or not self._rows.holds(guards):
                guards = self._guards()
                events = self._events(log)
            queue = reviewable.filter_queue(build_queue(events, log, self._policy))
            claims = queue.next_claims(reviewer, now, count)
            rows = [build_claim_row(claim, item.label_event_id, now) for item, claim in claims]
            if not rows or self._append(rows, [reviewer], at, guards):
                return [ClaimedItem(item, claim.until) for item, claim in claims]

    def submit(self, submissions: Sequence[ReviewSubmission]) -> SubmissionReport:
        """Store reviews in one commit; invalid ones are refused, the others are stored.

        Raises FatalError if the clock is wrong or the lake stays unavailable.
        """
        events: Sequence[LabelEvent] = ()
        guards: Sequence[Condition] = ()
        texts = [text for submission in submissions for text in submission.texts]
        while True:
            now, at = check_clock(self._context.now_us()), self._rows.refresh_position()
            stored = self._read()
            if not guards or not self._rows.holds(guards):
                guards = self._guards()
                events = self._events_of({submission.item for submission in submissions})
            rows, report = _plan_rows(submissions, events, stored, now, self._policy)
            if not rows or self._append(rows, texts, at, guards):
                return report

    def _read(self) -> StoredReviews:
        return self._context.retry.call(
            "reading table reviews", lambda: read_review_log(self._rows.table)
        )

    def _reviewable_items(self) -> ReviewableItems:
        def step() -> ReviewableItems:
            self._traces.refresh()
            self._rows.table.refresh()
            return ReviewableItems.read(self._traces, self._rows.table)

        return self._context.retry.call("reading table traces", step)

    def _guards(self) -> list[Condition]:
        """Return the guards for rows based on labels read from now on (see `lake.tombstones`).

        They are as of the table's last refresh.
        """
        return [ERASURE_FENCE.guard(ERASURE_FENCE.value(self._rows.table))]

    def _events_of(self, ids: Collection[str]) -> list[LabelEvent]:
        self._context.retry.call("reading table labels", self._labels.refresh)
        step = partial(read_trace_events, self._labels, ids)
        return self._context.retry.call("reading table labels", step)

    def _events(self, log: ReviewLog) -> list[LabelEvent]:
        reviewed = log.by_trace().keys()

        def step() -> list[LabelEvent]:
            self._labels.refresh()
            return read_routed_events(self._labels, reviewed)

        return self._context.retry.call("reading table labels", step)

    def _append(
        self, rows: Sequence[ReviewRow], texts: Sequence[str], at: int, guards: Sequence[Condition]
    ) -> bool:
        """Add rows from position ``at``; return False if the table has grown or a guard fails."""
        columns, policies = build_review_columns(rows, without_text=WITHOUT_TEXT)
        return self._rows.append_derived(columns, policies, texts=texts, at=at, guards=guards)


def _plan_rows(
    submissions: Sequence[ReviewSubmission],
    events: Sequence[LabelEvent],
    stored: StoredReviews,
    now: int,
    policy: LabelPolicy,
) -> tuple[list[ReviewRow], SubmissionReport]:
    """Return the rows to add, and the outcome of each submission if they are added."""
    queue = build_queue(events, stored.log, policy)

    def accept(log: ReviewLog, review: Review, *, force: bool) -> Review | None:
        return replace(queue, log=log).submit(review, force=force)

    before = SentBefore(stored.submissions, stored.comments)
    added, report = plan_reviews(submissions, stored.log, before, accept, now)
    rows = [
        build_review_row(
            review,
            comment=submission.comment,
            label_event_id=queue.events[submission.item].label_event_id,
            submission=submission.submission_hash,
            policy=submission.policy,
        )
        for review, submission in added
    ]
    return rows, report
