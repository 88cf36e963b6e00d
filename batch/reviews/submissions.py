"""Submitted reviews, and which rows they add to a log."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from labels.review_log import Review, ReviewLog, review_id_of
from schemas.errors import UsageError
from schemas.records import Label


@dataclass(frozen=True, slots=True, repr=False)
class ReviewSubmission:
    """A submitted review, with its texts and its reviewer already redacted.

    ``item`` is the id of the trace, or of the candidate's answer, that was reviewed. A ``verdict``
    of None withdraws the reviewer's earlier review of it. ``number`` is that of the submission
    within one call; ``submission_id`` is the id that the sender chose, if any; ``policy`` is the
    hash of the redaction policy of its texts, None without texts.
    """

    number: int
    item: str
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

    @property
    def submission_hash(self) -> str | None:
        """Return the stored form of the submission id, which itself may contain anything."""
        if self.submission_id is None:
            return None
        return hashlib.blake2b(
            self.submission_id.encode("utf-8", "surrogatepass"), digest_size=16
        ).hexdigest()

    def review(self, now: int) -> Review:
        """Return the review; ``now`` is in microseconds since 1970 (UTC)."""
        return Review(
            review_id=review_id_of(self.item, self.reviewer),
            trace_id=self.item,
            reviewer=self.reviewer,
            label=self.verdict,
            reviewed_at=now,
            expected_response=self.expected_response,
        )


@dataclass(slots=True)
class SubmissionReport:
    """The outcome of submissions by number: added, already known, or refused with a reason."""

    added: list[int]
    already_known: list[int]
    refused: dict[int, str]

    def add(self, more: "SubmissionReport") -> None:
        """Add the outcome of other submissions of the same call."""
        self.added += more.added
        self.already_known += more.already_known
        self.refused |= more.refused


class SentBefore(NamedTuple):
    """What a log holds beside its reviews.

    ``submissions`` are the reviews with a submission id, by the hash of that id. ``comments`` are
    the latest comments by review id.
    """

    submissions: Mapping[str, Review]
    comments: Mapping[str, str | None]


class AcceptReview(Protocol):
    """Returns the row's review if a log does not contain it already; UsageError refuses it."""

    def __call__(self, log: ReviewLog, review: Review, *, force: bool) -> Review | None:
        """Return the review to append, as `labels.review_steps.accept_review` does."""


class NewReview(NamedTuple):
    """A review that is to be added, as it was submitted."""

    review: Review
    submission: ReviewSubmission


def plan_reviews(
    submissions: Sequence[ReviewSubmission],
    log: ReviewLog,
    before: SentBefore,
    accept: AcceptReview,
    now: int,
) -> tuple[list[NewReview], SubmissionReport]:
    """Return the reviews to add, and the outcome of each submission if they are added."""
    earlier, comments = dict(before.submissions), dict(before.comments)
    added: list[NewReview] = []
    report = SubmissionReport([], [], {})
    for submission in submissions:
        sent_as = submission.submission_hash
        try:
            same = None if sent_as is None else earlier.get(sent_as)
            if same is not None:
                _refuse_different(same, submission)
            new = submission.review(now)
            new_comment = submission.comment is not None and submission.comment != comments.get(
                new.review_id
            )
            review = accept(log, new, force=new_comment) if same is None else None
        except UsageError as refusal:
            report.refused[submission.number] = str(refusal)
            continue
        if review is None:
            report.already_known.append(submission.number)
            continue
        added.append(NewReview(review, submission))
        comments[review.review_id] = submission.comment
        log = ReviewLog(log.claims, (*log.reviews, review))
        if sent_as is not None:
            earlier[sent_as] = review
        report.added.append(submission.number)
    return added, report


def _refuse_different(before: Review, submission: ReviewSubmission) -> None:
    """Raise UsageError if a submission differs from the earlier one with the same id.

    Texts are not compared: they may have been redacted under another policy, or have expired.
    """
    for field, old, new in (
        ("item", before.trace_id, submission.item),
        ("reviewer", before.reviewer, submission.reviewer),
        ("verdict", before.label, submission.verdict),
    ):
        if old != new:
            raise UsageError(
                f"its submission id was used before, with another {field}: give each review an id "
                "of its own."
            )
