"""The review queue service: claims items and stores reviews for concurrent reviewers.

Each step reads the log of reviews and decides which rows to add. They are added only if the log has
not grown in the meantime (`batch.numbered_rows`); otherwise the step is repeated over the newer
log. So no item goes to more reviewers than the policy asks for, and a review that is sent twice is
stored once.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from batch.numbered_rows import NumberedRows
from batch.reviews.open_items import ReviewableItems, read_routed_events, read_trace_events
from batch.reviews.review_table import (
    ReviewRow,
    StoredReviews,
    build_claim_row,
    build_review_columns,
    build_review_row,
    read_review_log,
)
from labels.decision import check_clock
from labels.policy import LabelPolicy
from labels.review_log import Review, ReviewLog, review_id_of
from labels.review_queue import QueueItem, ReviewQueue, build_queue
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind
from lake.table_commit import CommitContext, Condition
from lake.table_log import REVIEW_SEQUENCE
from lake.tables import Lake
from redact.pipeline.derived_rows import box_derived_rows
from schemas.errors import FencedError, UsageError
from schemas.records import Label, LabelEvent

_IDENTITY: Final = "identity"
"""The redaction policy of a row whose only text is a pseudonym."""


class ClaimedItem(NamedTuple):
    """An item claimed for a reviewer until ``until`` (microseconds since 1970, UTC)."""

    item: QueueItem
    until: int


@dataclass(frozen=True, slots=True, repr=False)
class ReviewSubmission:
    """A submitted review, with its texts and its reviewer already redacted.

    A ``verdict`` of None withdraws the reviewer's earlier review of the trace. ``number`` is that
    of the submission within one call; ``submission_id`` is the id that the sender chose, if any;
    ``policy`` is the hash of the redaction policy of its texts, None without texts.
    """

    number: int
    trace_id: str
    reviewer: str
    verdict: Label | None
    comment: str | None = None
    expected_response: str | None = None
    submission_id: str | None = None
    policy: str | None = None

    @property
    def texts(self) -> list[str]:
        """Return the texts that must be redacted."""
        return [
            text
            for text in (self.reviewer, self.comment, self.expected_response)
            if text is not None
        ]


@dataclass(slots=True)
class SubmissionReport:
    """The outcome of submissions by number: added, already known, or refused with a reason."""

    added: list[int]
    already_known: list[int]
    refused: dict[int, str]


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
                events = self._events_of({submission.trace_id for submission in submissions})
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
        columns, policies = build_review_columns(rows, without_text=_IDENTITY)
        batch = self._rows.number_rows(columns, policies, at=at)
        try:
            sealed = box_derived_rows(batch, "review", redacted_texts=texts, policy=_IDENTITY)
            self._rows.append(sealed, at=at, guards=guards)
        except FencedError:
            return False
        return True


def _plan_rows(
    submissions: Sequence[ReviewSubmission],
    events: Sequence[LabelEvent],
    stored: StoredReviews,
    now: int,
    policy: LabelPolicy,
) -> tuple[list[ReviewRow], SubmissionReport]:
    """Return the rows to add, and the outcome of each submission if they are added."""
    queue, earlier = build_queue(events, stored.log, policy), dict(stored.submissions)
    comments = dict(stored.comments)
    rows, report = [], SubmissionReport([], [], {})
    for submission in submissions:
        submission_hash = (
            None if submission.submission_id is None else _hash_id(submission.submission_id)
        )
        try:
            before = None if submission_hash is None else earlier.get(submission_hash)
            if before is not None:
                _refuse_different(before, submission)
            new = _review(submission, now)
            new_comment = submission.comment is not None and submission.comment != comments.get(
                new.review_id
            )
            review = queue.submit(new, force=new_comment) if before is None else None
        except UsageError as refusal:
            report.refused[submission.number] = str(refusal)
            continue
        if review is None:
            report.already_known.append(submission.number)
            continue
        rows.append(
            build_review_row(
                review,
                comment=submission.comment,
                label_event_id=queue.events[submission.trace_id].label_event_id,
                submission=submission_hash,
                policy=submission.policy,
            )
        )
        comments[review.review_id] = submission.comment
        queue = replace(queue, log=ReviewLog(queue.log.claims, (*queue.log.reviews, review)))
        if submission_hash is not None:
            earlier[submission_hash] = review
        report.added.append(submission.number)
    return rows, report


def _refuse_different(before: Review, submission: ReviewSubmission) -> None:
    """Raise UsageError if a submission differs from the earlier one with the same id.

    Texts are not compared: they may have been redacted under another policy, or have expired.
    """
    for field, old, new in (
        ("trace", before.trace_id, submission.trace_id),
        ("reviewer", before.reviewer, submission.reviewer),
        ("verdict", before.label, submission.verdict),
    ):
        if old != new:
            raise UsageError(
                f"its submission id was used before, with another {field}: give each review an id "
                "of its own."
            )


def _review(submission: ReviewSubmission, now: int) -> Review:
    return Review(
        review_id=review_id_of(submission.trace_id, submission.reviewer),
        trace_id=submission.trace_id,
        reviewer=submission.reviewer,
        label=submission.verdict,
        reviewed_at=now,
        expected_response=submission.expected_response,
    )


def _hash_id(submission_id: str) -> str:
    """Return the stored form of a submission id, which itself may contain anything."""
    return hashlib.blake2b(
        submission_id.encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()
