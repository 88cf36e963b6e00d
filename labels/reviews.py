"""What reviewers do, as a log: claims and reviews, rows that are only ever added.

Each step of the queue looks at the log and says which row to append; whoever keeps the log appends
it only if nobody else did meanwhile (compare-and-swap), or takes the step again. Times are
microseconds since 1970 (UTC).
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from labels.agreement import Outcome, adjudicate
from labels.facts import Verdict
from schemas.records import Label


class Claim(NamedTuple):
    """A reviewer has an item until ``until``."""

    trace_id: str
    reviewer: str
    until: int


class Review(NamedTuple):
    """What a reviewer found.

    ``review_id`` as ``review_id_of`` makes it. ``audit_probability`` is that of the draw if the
    trace was in the audit arm.
    """

    review_id: str
    trace_id: str
    reviewer: str
    label: Label
    reviewed_at: int
    expected_response: str | None = None
    audit_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """All claims and reviews so far, in any order."""

    claims: tuple[Claim, ...] = ()
    reviews: tuple[Review, ...] = ()

    def by_trace(self) -> Mapping[str, list[Review]]:
        """Return the reviews by trace id, oldest first, each reviewer's first one only."""
        found: dict[str, dict[str, Review]] = defaultdict(dict)
        for review in sorted(self.reviews, key=lambda r: (r.reviewed_at, r.review_id)):
            found[review.trace_id].setdefault(review.reviewer, review)
        return {trace_id: list(theirs.values()) for trace_id, theirs in found.items()}

    def held(self, now: int) -> Mapping[str, set[str]]:
        """Return, by trace id, the reviewers whose claims hold at ``now``."""
        found: dict[str, set[str]] = defaultdict(set)
        for claim in self.claims:
            if claim.until > now:
                found[claim.trace_id].add(claim.reviewer)
        return found

    def outcomes(self) -> Mapping[str, Outcome]:
        """Return what the reviewers of each trace decide together."""
        return {
            trace_id: adjudicate([review.label for review in reviews])
            for trace_id, reviews in self.by_trace().items()
        }

    def verdicts(self) -> Mapping[str, list[Verdict]]:
        """Return the reviews by trace id, as evidence for the batch job (`labels.reconcile`)."""
        return {
            trace_id: [
                Verdict(r.review_id, r.reviewer, r.label, r.reviewed_at, r.expected_response)
                for r in reviews
            ]
            for trace_id, reviews in self.by_trace().items()
        }


def review_id_of(trace_id: str, reviewer: str) -> str:
    """Return the id of a reviewer's review of a trace: there is one, however often it is sent."""
    encoded = json.dumps([trace_id, reviewer]).encode()
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
