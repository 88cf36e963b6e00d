"""The steps of a reviewer, whatever is reviewed: which items to claim, and which row a review adds.

Times are microseconds since 1970 (UTC).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from labels.agreement import adjudicate
from labels.review_log import CurrentReview, Review, ReviewClaim, ReviewLog, review_id_of
from labels.rules import ReviewRules
from schemas.errors import UsageError

MICROS_PER_MINUTE: Final = 60_000_000
EXTRA_REVIEWERS: Final = 3
"""The number of additional reviewers for a disputed item, beyond what the policy asks for."""


def reviews_needed(reviews: Sequence[CurrentReview], rules: ReviewRules) -> int:
    """Return how many more reviews an item needs: as the policy asks, and more if disputed."""
    if len(reviews) < rules.reviewers:
        return rules.reviewers - len(reviews)
    disputed = adjudicate([review.label for review in reviews]) == "disputed"
    return 1 if disputed and len(reviews) < rules.reviewers + EXTRA_REVIEWERS else 0


def choose_claims(  # noqa: PLR0913 - one for each fact
    needed: Mapping[str, int],
    ranked: Iterable[str],
    log: ReviewLog,
    rules: ReviewRules,
    *,
    reviewer: str,
    now: int,
    count: int,
) -> list[ReviewClaim]:
    """Return the claims of a reviewer on the next items, at most ``count``.

    ``needed`` are the open items, with the number of reviews that each still needs. Items that the
    reviewer already holds come first, with a renewed lease; then the others as ``ranked``. An item
    is given to no more reviewers than it still needs, and to none who has judged it.
    """
    reviews, claims = log.by_trace(), log.active_claims(now)
    own = [item for item in needed if reviewer in claims.get(item, ())]
    until = now + int(rules.lease_minutes * MICROS_PER_MINUTE)
    chosen: dict[str, ReviewClaim] = {}
    for item in [*own, *ranked]:
        if len(chosen) == count:
            break
        judged_by = {review.reviewer for review in reviews.get(item, [])}
        others = claims.get(item, set()) - {reviewer} - judged_by
        if reviewer not in judged_by and len(others) < needed[item]:
            chosen.setdefault(item, ReviewClaim(item, reviewer, until))
    return list(chosen.values())


def accept_review(log: ReviewLog, review: Review, *, force: bool = False) -> Review | None:
    """Return the row to append for a review; None if the log contains it already.

    A review after the end of its lease is accepted too, so that no work is lost. It replaces the
    reviewer's earlier review of the same item; a label of None withdraws that one. ``force``
    appends a row even if label and answer are unchanged. Raises UsageError if there is nothing to
    withdraw.
    """
    if review.review_id != review_id_of(review.trace_id, review.reviewer):
        raise UsageError("the id of the review does not belong to this item and reviewer.")
    latest = log.latest_of(review.review_id)
    if review.label is None and (latest is None or latest.label is None):
        raise UsageError("this reviewer has no review of this item to withdraw.")
    at = review.reviewed_at
    if latest is not None:
        same = (latest.label, latest.expected_response) == (review.label, review.expected_response)
        if same and not force:
            return None
        at = max(at, latest.reviewed_at + 1)  # the newer review is later, whatever clocks say
    return review._replace(reviewed_at=at)
