"""The queue of a candidate's answers that a gate asks reviewers about.

Its log has the form of the log of traces (`labels.review_log`): what stands there as ``trace_id``
is the id of an answer here. The two logs never meet, so no label rests on a candidate's answer.
Times are microseconds since 1970 (UTC).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from judges.definition import digest_of
from judges.gate.readings import CANDIDATE, GateSide
from labels.agreement import adjudicate
from labels.review_log import Review, ReviewClaim, ReviewLog
from labels.review_steps import accept_review, choose_claims, reviews_needed
from labels.rules import ReviewRules
from schemas.errors import UsageError


class AnswerSource(NamedTuple):
    """Whose answers were drawn from what: the candidate's to a release, by digests.

    ``scope`` is that of the gate (`judges.gate.definition.GateScope`). ``baseline_digest`` names
    the baseline, where the answers of both sides to a row are drawn together; None otherwise.
    """

    release: str
    release_digest: str
    candidate_digest: str
    scope: str
    baseline_digest: str | None = None

    def answer_id(self, metric: str, mark: str, side: GateSide = CANDIDATE) -> str:
        """Return the id of an answer and metric, which nobody can guess without the row's mark."""
        digests = [self.release_digest, self.candidate_digest, self.baseline_digest]
        return digest_of([*digests, self.scope, metric, mark, side])


class AskedAnswer(NamedTuple):
    """An answer that reviews were asked for.

    ``trace_id`` is the row of the release that was answered. ``probability`` is the largest that
    the answer was drawn with. ``is_readable``: its texts are in the lake.
    """

    answer_id: str
    trace_id: str
    metric: str
    side: GateSide
    source: AnswerSource
    probability: float
    asked_at: int
    is_readable: bool = True


class AnswerVerdict(NamedTuple):
    """What reviewers say of an answer together."""

    answer: AskedAnswer
    is_good: bool


class AnswerCounts(NamedTuple):
    """How many answers were asked about.

    ``open`` ones need more reviews, ``claimed`` are those of them that a reviewer holds.
    ``reviewed`` have a verdict together, ``undecided`` have all their reviews and none: reviewers
    cannot tell, or dispute it.
    """

    asked: int
    open: int
    claimed: int
    reviewed: int
    undecided: int


NO_ANSWERS: Final = AnswerCounts(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class AnswerQueue:
    """All answers that were asked about, in the order of the draws, and the log of their reviews.

    Immutable. ``rules`` are those of the label policy, as for traces.
    """

    rules: ReviewRules
    answers: Mapping[str, AskedAnswer]
    log: ReviewLog

    def needed(self) -> dict[str, int]:
        """Return the open answers by id, in order, with the number of reviews that each needs."""
        reviews = self.log.by_trace()
        needed = {
            answer_id: reviews_needed(reviews.get(answer_id, ()), self.rules)
            for answer_id, answer in self.answers.items()
            if answer.is_readable
        }
        return {answer_id: count for answer_id, count in needed.items() if count}

    def next_claims(self, reviewer: str, now: int, count: int) -> list[ReviewClaim]:
        """Return the claims of a reviewer on the next answers, in the random order of the draw.

        So the reviewed ones are a random part at any time.
        """
        needed = self.needed()
        return choose_claims(
            needed, needed, self.log, self.rules, reviewer=reviewer, now=now, count=count
        )

    def submit(self, review: Review, *, force: bool = False) -> Review | None:
        """Return the row to append for a review, as `labels.review_steps.accept_review` does.

        Raises UsageError for an answer that nobody asked about.
        """
        if review.trace_id not in self.answers:
            raise UsageError("there is no such answer: nobody has asked for reviews of it.")
        return accept_review(self.log, review, force=force)

    def verdicts(self) -> list[AnswerVerdict]:
        """Return what reviewers say of each answer that has all its reviews.

        More than half of them must say pass, or fail. An answer that they cannot tell or dispute
        has no verdict, and so has one that waits for another reviewer.
        """
        found = []
        for answer_id, reviews in self.log.by_trace().items():
            answer = self.answers.get(answer_id)
            if answer is None or reviews_needed(reviews, self.rules):
                continue
            outcome = adjudicate([review.label for review in reviews])
            if outcome in ("pass", "fail"):
                found.append(AnswerVerdict(answer, outcome == "pass"))
        return found

    def counts(self, now: int) -> AnswerCounts:
        """Return how many answers there are; claims on those that are not open do not count."""
        needed, claims = self.needed(), self.log.active_claims(now)
        complete = sum(
            answer_id in self.answers and not reviews_needed(reviews, self.rules)
            for answer_id, reviews in self.log.by_trace().items()
        )
        reviewed = len(self.verdicts())
        return AnswerCounts(
            asked=len(self.answers),
            open=len(needed),
            claimed=sum(answer_id in claims for answer_id in needed),
            reviewed=reviewed,
            undecided=complete - reviewed,
        )
