"""Whether reviews let a gate claim what humans would say: enough, and a judge that agrees."""

from dataclasses import dataclass
from math import isclose
from typing import Any, Final

from judges.agreement.chance import gwet_ac1
from judges.gate.definition import AgreementLimit
from judges.gate.readings import GateRows, GateSide

_FEWEST_PAIRS: Final = 2


@dataclass(frozen=True, slots=True)
class ReviewedVerdicts:
    """How far a judge's verdicts on the answers of a side agree with reviewers.

    ``decided`` are the reviews of answers that the judge decided, of which so many ``agreed``.
    ``ac1`` is Gwet's, weighted by the probability of review; None without such reviews.
    """

    reviews: int
    decided: int
    agreed: int
    ac1: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "reviews": self.reviews,
            "decided": self.decided,
            "agreed": self.agreed,
            "ac1": self.ac1,
        }


def reviewed_verdicts(rows: GateRows, side: GateSide, metric: str) -> ReviewedVerdicts:
    """Return how far the verdicts of a metric on a side agree with the reviews of it."""
    states = rows.side(side)[metric].states
    reviews = rows.reviews_of(side, metric)
    decided = [each for each in reviews if str(states[each.at]) in ("pass", "fail")]
    said = [(str(states[each.at]), "pass" if each.is_good else "fail") for each in decided]
    return ReviewedVerdicts(
        reviews=len(reviews),
        decided=len(decided),
        agreed=sum(judge == reviewer for judge, reviewer in said),
        ac1=gwet_ac1(said, [1 / each.probability for each in decided]),
    )


def unvalidated(rows: GateRows, side: GateSide, metric: str, limit: AgreementLimit) -> str | None:
    """Return why a judge is not validated for a claim about a side's answers, None if it is.

    It must agree with reviewers on enough of them.
    """
    found = reviewed_verdicts(rows, side, metric)
    if found.reviews < limit.reviews:
        return f"{found.reviews} reviews of the {side}'s answers, and {limit.reviews} are needed"
    if found.ac1 is None or found.ac1 < limit.ac1:
        by = "nothing" if found.ac1 is None else f"AC1 = {found.ac1:.2f}"
        on = f"on the {side}'s answers the judge agrees with reviewers by {by}"
        return f"{on}, and the limit is {limit.ac1:.2f}"
    return None


def unpaired(rows: GateRows, metric: str) -> str | None:
    """Return why the reviews of two sides cannot be compared row by row, None if they can."""
    pairs = rows.paired_reviews(metric)
    if len(pairs) < _FEWEST_PAIRS:
        return (
            f"{len(pairs)} rows are reviewed on both sides: a difference needs reviews of both "
            "answers to a row"
        )
    if any(not isclose(new.probability, old.probability) for new, old in pairs):
        return (
            "the reviews of both answers to a row have different probabilities: draw them at once"
        )
    return None
