"""The desk of the review queue: hands out items and takes reviews, to many reviewers at once.

Each step looks at the log of reviews and says which rows to add; they are added only if nobody has
added any meanwhile (`batch.numbered_rows`), otherwise the step is taken again over the newer log. So two
reviewers never get one item (beyond the number that the policy asks for), and a review that is sent
twice is there once.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from batch.numbered_rows import NumberedRows
from batch.reviews.open_items import read_routed_events, read_trace_events
from batch.reviews.review_rows import (
    ReviewRow,
    build_claim_row,
    build_review_columns,
    build_review_row,
)
from batch.reviews.review_table import StoredReviews, read_review_log
from batch.reviews.reviewable import ReviewableItems
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
"""What stands for the redaction policy of a row that has no text, but for a pseudonym."""


class ClaimedItem(NamedTuple):
    """An item in the hands of a reviewer, until ``until`` (microseconds since 1970, UTC)."""

    item: QueueItem
    until: int


@dataclass(frozen=True, slots=True, repr=False)
class ReviewSubmission:
    """A review as it is sent, its texts and its reviewer redacted already.

    A ``verdict`` of None takes back what the reviewer said of the trace before.

    ``number`` tells it from others that are sent with it; ``sent_as`` is the id that the sender
    gave it, if any; ``policy`` the hash of the redaction policy that its texts have been through,
    None if it has none.
    """

    number: int
    trace_id: str
    reviewer: str
    verdict: Label | None
    comment: str | None = None
    expected_response: str | None = None
    sent_as: str | None = None
    policy: str | None = None

    @property
    def texts(self) -> list[str]:
        """Return what must have been through redaction."""
        return [t for t in (self.reviewer, self.comment, self.expected_response) if t is not None]


@dataclass(slots=True)
class SubmissionReport:
    """What became of submissions, by number; ``refused`` says why."""

    added: list[int]
    known: list[int]
    refused: dict[int, str]


class ReviewQueueService:
    """Works on the queue of one lake."""

    def __init__(self, lake: Lake, policy: LabelPolicy, means: CommitContext) -> None:
        self._policy, self._means = policy, means
        self._labels, self._traces = lake.table("labels"), lake.table("traces")
        self._rows = NumberedRows(lake.table("reviews"), REVIEW_SEQUENCE, EntryKind.REVIEW, means)

    def queue(self) -> ReviewQueue:
        """Return the queue as it is now."""
        self._rows.refresh_position()
        log = self._read().log
        return self._answerable().only(build_queue(self._events(log), log, self._policy))

    def hand_out(self, reviewer: str, count: int) -> list[ClaimedItem]:
        """Claim at most ``count`` items for a reviewer, a pseudonym; what they hold comes first.

        Raises FatalError if the clock is wrong or the lake does not answer.
        """
        events: Sequence[LabelEvent] = ()
        guards: Sequence[Condition] = ()
        answerable = self._answerable()
        while True:
            now, at = check_clock(self._means.now_us()), self._rows.refresh_position()
            log = self._read().log
            if not guards or not self._rows.holds(guards):
                guards = self._guards()
                events = self._events(log)
            queue = answerable.only(build_queue(events, log, self._policy))
            found = queue.claims(reviewer, now, count)
            rows = [build_claim_row(claim, item.label_event_id, now) for item, claim in found]
            if not rows or self._append(rows, [reviewer], at, guards):
                return [ClaimedItem(item, claim.until) for item, claim in found]

    def take(self, submissions: Sequence[ReviewSubmission]) -> SubmissionReport:
        """Take reviews in one commit; what cannot be taken is refused, the others are taken.

        Raises FatalError if the clock is wrong or the lake does not answer.
        """
        events: Sequence[LabelEvent] = ()
        guards: Sequence[Condition] = ()
        texts = [text for one in submissions for text in one.texts]
        while True:
            now, at = check_clock(self._means.now_us()), self._rows.refresh_position()
            written = self._read()
            if not guards or not self._rows.holds(guards):
                guards = self._guards()
                events = self._events_of({one.trace_id for one in submissions})
            rows, taken = _sorted_out(submissions, events, written, now, self._policy)
            if not rows or self._append(rows, texts, at, guards):
                return taken

    def _read(self) -> StoredReviews:
        return self._means.retry.call(
            "reading table reviews", lambda: read_review_log(self._rows.table)
        )

    def _answerable(self) -> ReviewableItems:
        def step() -> ReviewableItems:
            self._traces.refresh()
            self._rows.table.refresh()
            return ReviewableItems.of(self._traces, self._rows.table)

        return self._means.retry.call("reading table traces", step)

    def _guards(self) -> list[Condition]:
        """Return what must hold for rows that rest on labels read from now on: see `lake.tombstones`.

        It is as of the last look.
        """
        return [ERASURE_FENCE.guard(ERASURE_FENCE.value(self._rows.table))]

    def _events_of(self, ids: Collection[str]) -> list[LabelEvent]:
        self._means.retry.call("reading table labels", self._labels.refresh)
        step = partial(read_trace_events, self._labels, ids)
        return self._means.retry.call("reading table labels", step)

    def _events(self, log: ReviewLog) -> list[LabelEvent]:
        reviewed = log.by_trace().keys()

        def step() -> list[LabelEvent]:
            self._labels.refresh()
            return read_routed_events(self._labels, reviewed)

        return self._means.retry.call("reading table labels", step)

    def _append(
        self, rows: Sequence[ReviewRow], texts: Sequence[str], at: int, guards: Sequence[Condition]
    ) -> bool:
        """Add rows after the ``at`` that were there; False if there are more, or guards broke."""
        columns, policies = build_review_columns(rows, without_text=_IDENTITY)
        batch = self._rows.number_rows(columns, policies, at=at)
        try:
            sealed = box_derived_rows(batch, "review", redacted_texts=texts, policy=_IDENTITY)
            self._rows.append(sealed, at=at, guards=guards)
        except FencedError:
            return False
        return True


def _sorted_out(
    submissions: Sequence[ReviewSubmission],
    events: Sequence[LabelEvent],
    written: StoredReviews,
    now: int,
    policy: LabelPolicy,
) -> tuple[list[ReviewRow], SubmissionReport]:
    """Return the rows to add, and what becomes of each submission if they are added."""
    queue, sent_before = build_queue(events, written.log, policy), dict(written.submissions)
    comments = dict(written.comments)
    rows, taken = [], SubmissionReport([], [], {})
    for one in submissions:
        mark = None if one.sent_as is None else _mark(one.sent_as)
        try:
            before = None if mark is None else sent_before.get(mark)
            if before is not None:
                _refuse_other(before, one)
            new = _review(one, now)
            more = one.comment is not None and one.comment != comments.get(new.review_id)
            review = queue.submit(new, more=more) if before is None else None
        except UsageError as refusal:
            taken.refused[one.number] = str(refusal)
            continue
        if review is None:
            taken.known.append(one.number)
            continue
        rows.append(
            build_review_row(
                review,
                comment=one.comment,
                label_event_id=queue.events[one.trace_id].label_event_id,
                submission=mark,
                policy=one.policy,
            )
        )
        comments[review.review_id] = one.comment
        queue = replace(queue, log=ReviewLog(queue.log.claims, (*queue.log.reviews, review)))
        if mark is not None:
            sent_before[mark] = review
        taken.added.append(one.number)
    return rows, taken


def _refuse_other(before: Review, one: ReviewSubmission) -> None:
    """Raise UsageError if a submission says otherwise than the one that came under its id.

    Texts are not compared: they may have been redacted under another policy, or have expired.
    """
    for what, was, now in (
        ("trace", before.trace_id, one.trace_id),
        ("reviewer", before.reviewer, one.reviewer),
        ("verdict", before.label, one.verdict),
    ):
        if was != now:
            raise UsageError(
                f"its submission id has come before, with another {what}: an id belongs to one "
                "review, not to a batch of them."
            )


def _review(one: ReviewSubmission, now: int) -> Review:
    return Review(
        review_id=review_id_of(one.trace_id, one.reviewer),
        trace_id=one.trace_id,
        reviewer=one.reviewer,
        label=one.verdict,
        reviewed_at=now,
        expected_response=one.expected_response,
    )


def _mark(sent_as: str) -> str:
    """Return what is kept of the id of a submission, which may say anything."""
    return hashlib.blake2b(sent_as.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
