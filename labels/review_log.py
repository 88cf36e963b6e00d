"""What reviewers do, as a log: claims and reviews, rows that are only ever added.

Each step of the queue looks at the log and says which row to append; whoever keeps the log appends
it only if nobody else did meanwhile (compare-and-swap), or takes the step again. Times are
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
    """A reviewer has an item until ``until``."""

    trace_id: str
    reviewer: str
    until: int


class Review(NamedTuple):
    """What a reviewer found.

    ``review_id`` as ``review_id_of`` makes it. A reviewer may judge a trace again: the last word
    counts, and a ``label`` of None takes back what was said. ``audit_probability`` is that of the
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
    """A review that stands: the last word of its reviewer, and not taken back; as `Review`."""

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
        """Return the reviews that stand by trace id, oldest first: the last of each reviewer.

        Traces of which all reviews were taken back are left out.
        """
        return {
            trace_id: standing
            for trace_id, reviews in self._all().items()
            if (standing := _standing(reviews))
        }

    def standing(self) -> list[CurrentReview]:
        """Return the reviews that stand, of all traces."""
        return [review for theirs in self.by_trace().values() for review in theirs]

    def last_of(self, review_id: str) -> Review | None:
        """Return what was said last under an id; None if nothing was."""
        mine = [review for review in self.reviews if review.review_id == review_id]
        return latest_by_reviewer(mine)[-1] if mine else None

    def last(self) -> Mapping[str, Review]:
        """Return what was said last under each id."""
        found: dict[str, list[Review]] = defaultdict(list)
        for review in self.reviews:
            found[review.review_id].append(review)
        return {review_id: latest_by_reviewer(mine)[-1] for review_id, mine in found.items()}

    def _all(self) -> Mapping[str, list[Review]]:
        found: dict[str, list[Review]] = defaultdict(list)
        for review in self.reviews:
            found[review.trace_id].append(review)
        return found

    def held(self, now: int) -> Mapping[str, set[str]]:
        """Return, by trace id, the reviewers whose claims hold at ``now``."""
        found: dict[str, set[str]] = defaultdict(set)
        for claim in self.claims:
            if claim.until > now:
                found[claim.trace_id].add(claim.reviewer)
        return found

    def outcomes(self) -> Mapping[str, ReviewOutcome]:
        """Return what the reviewers of each trace decide together."""
        return {
            trace_id: adjudicate([review.label for review in reviews])
            for trace_id, reviews in self.by_trace().items()
        }

    def verdicts(self) -> Mapping[str, list[ReviewVerdict]]:
        """Return all reviews by trace id, as evidence for the batch job (`labels.batch_join`).

        Those that were replaced are among them: a label never knows less than the one before it.
        """
        return {
            trace_id: [
                ReviewVerdict(r.review_id, r.reviewer, r.label, r.reviewed_at, r.expected_response)
                for r in reviews
            ]
            for trace_id, reviews in self._all().items()
        }


def _standing(reviews: Sequence[Review]) -> list[CurrentReview]:
    return [
        CurrentReview(r.review_id, r.trace_id, r.reviewer, r.label, *r[4:])
        for r in latest_by_reviewer(reviews)
        if r.label is not None
    ]


def review_id_of(trace_id: str, reviewer: str) -> str:
    """Return the id of a reviewer's review of a trace: there is one, however often it is sent."""
    encoded = json.dumps([trace_id, reviewer]).encode()
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
