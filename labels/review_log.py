"""The append-only log of claims and reviews.

Each step of the queue reads the log and returns the row to append. The caller appends it only if
the log has not grown in the meantime (compare-and-swap), and otherwise repeats the step. Times are
microseconds since 1970 (UTC).
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labels.agreement import ReviewOutcome, adjudicate
from labels.facts import ReviewVerdict, latest_by_reviewer
from schemas.records import Label


class ReviewClaim(NamedTuple):
    """A reviewer's claim on an item until ``until``."""

    trace_id: str
    reviewer: str
    until: int


class Review(NamedTuple):
    """A review as it was submitted.

    ``review_id`` comes from ``review_id_of``. A reviewer may judge a trace again: the latest review
    counts, and a ``label`` of None withdraws it. ``audit_probability`` is the probability of the
    draw if the trace was in the audit arm.
    """

    review_id: str
    trace_id: str
    reviewer: str
    label: Label | None
    reviewed_at: int
    expected_response: str | None = None
    audit_probability: float | None = None


class CurrentReview(NamedTuple):
    """A review in force: the latest of its reviewer, and not withdrawn. Fields as in `Review`."""

    review_id: str
    trace_id: str
    reviewer: str
    label: Label
    reviewed_at: int
    expected_response: str | None = None
    audit_probability: float | None = None


@dataclass(frozen=True, slots=True)
class ReviewLog:
    """All claims and reviews so far, in any order."""

    claims: tuple[ReviewClaim, ...] = ()
    reviews: tuple[Review, ...] = ()

    def by_trace(self) -> Mapping[str, list[CurrentReview]]:
        """Return the reviews in force by trace id, oldest first: the latest of each reviewer.

        Traces without a review in force are left out.
        """
        return {
            trace_id: current
            for trace_id, reviews in self._reviews_by_trace().items()
            if (current := _current_reviews(reviews))
        }

    def current_reviews(self) -> list[CurrentReview]:
        """Return the reviews in force of all traces."""
        return [review for reviews in self.by_trace().values() for review in reviews]

    def latest_of(self, review_id: str) -> Review | None:
        """Return the latest review with this id; None if there is none."""
        reviews = [review for review in self.reviews if review.review_id == review_id]
        return latest_by_reviewer(reviews)[-1] if reviews else None

    def latest_by_id(self) -> Mapping[str, Review]:
        """Return the latest review by review id."""
        by_id: dict[str, list[Review]] = defaultdict(list)
        for review in self.reviews:
            by_id[review.review_id].append(review)
        return {review_id: latest_by_reviewer(reviews)[-1] for review_id, reviews in by_id.items()}

    def _reviews_by_trace(self) -> Mapping[str, list[Review]]:
        by_trace: dict[str, list[Review]] = defaultdict(list)
        for review in self.reviews:
            by_trace[review.trace_id].append(review)
        return by_trace

    def active_claims(self, now: int) -> Mapping[str, set[str]]:
        """Return, by trace id, the reviewers whose claims are valid at ``now``."""
        reviewers: dict[str, set[str]] = defaultdict(set)
        for claim in self.claims:
            if claim.until > now:
                reviewers[claim.trace_id].add(claim.reviewer)
        return reviewers

    def outcomes(self) -> Mapping[str, ReviewOutcome]:
        """Return the joint outcome of the reviewers by trace id."""
        return {
            trace_id: adjudicate([review.label for review in reviews])
            for trace_id, reviews in self.by_trace().items()
        }

    def verdicts(self) -> Mapping[str, list[ReviewVerdict]]:
        """Return all reviews by trace id, as evidence for the batch job (`labels.batch_join`).

        They include replaced reviews, so that a label never rests on less than the one before it.
        """
        return {
            trace_id: [
                ReviewVerdict(r.review_id, r.reviewer, r.label, r.reviewed_at, r.expected_response)
                for r in reviews
            ]
            for trace_id, reviews in self._reviews_by_trace().items()
        }


def _current_reviews(reviews: Sequence[Review]) -> list[CurrentReview]:
    return [
        CurrentReview(r.review_id, r.trace_id, r.reviewer, r.label, *r[4:])
        for r in latest_by_reviewer(reviews)
        if r.label is not None
    ]


def review_id_of(trace_id: str, reviewer: str) -> str:
    """Return the id of a reviewer's review of a trace; it is the same however often it is sent."""
    encoded = json.dumps([trace_id, reviewer]).encode()
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
