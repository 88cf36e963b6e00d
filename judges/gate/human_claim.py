"""The claim that a candidate is as good as humans would judge it, from reviews of its answers."""

from dataclasses import dataclass
from typing import Any, Final

from judges.agreement.chance import gwet_ac1
from judges.correction.post_stratified import estimate_of_arrays
from judges.correction.units import JudgedUnit, unit_arrays
from judges.gate.definition import AgreementLimit
from judges.gate.readings import GateRows
from judges.gate.share_bounds import ShareBounds
from judges.outcome import OUTCOMES, JudgeOutcome

_SAMPLED: Final = 1e-6
"""The rows of a release are a sample too, of so many more like them that these are no part of it:
the bounds of what a judge says speak of the same."""


def human_bounds(rows: GateRows, metric: str) -> ShareBounds | None:
    """Return the share of good answers as reviewers would say; None with fewer than two reviews.

    Post-stratified on the judge's outcome (`judges.correction.post_stratified`). Its ``rows`` are
    the reviews, since these are what more evidence is made of.
    """
    reviewed = {review.at: review for review in rows.reviews.get(metric, ())}
    units = []
    for at, state in enumerate(rows.candidate[metric].states.tolist()):
        outcome = _outcome(state)
        if outcome is None:
            continue
        review, weight = reviewed.get(at), float(rows.weights.weight[at])
        units.append(
            JudgedUnit(
                outcome,
                None if review is None else review.is_good,
                None if review is None else review.probability * _SAMPLED / weight,
                probability=_SAMPLED / weight,
                cluster=str(rows.weights.cluster[at]),
            )
        )
    found = estimate_of_arrays(unit_arrays(units))
    if found is None:
        return None
    return ShareBounds(found.estimate, found.reviews, found.effective, found.freedom)


@dataclass(frozen=True, slots=True)
class ReviewedVerdicts:
    """How far a judge's verdicts on the candidate agree with reviewers.

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


def reviewed_verdicts(rows: GateRows, metric: str) -> ReviewedVerdicts:
    """Return how far the verdicts of a metric agree with the reviews of it."""
    states = rows.candidate[metric].states
    reviews = rows.reviews.get(metric, ())
    decided = [each for each in reviews if str(states[each.at]) in ("pass", "fail")]
    said = [(str(states[each.at]), "pass" if each.is_good else "fail") for each in decided]
    return ReviewedVerdicts(
        reviews=len(reviews),
        decided=len(decided),
        agreed=sum(judge == reviewer for judge, reviewer in said),
        ac1=gwet_ac1(said, [1 / each.probability for each in decided]),
    )


def unvalidated(rows: GateRows, metric: str, limit: AgreementLimit) -> str | None:
    """Return why a judge is not validated for the claim, None if it is.

    It must agree with reviewers on enough answers of the candidate.
    """
    found = reviewed_verdicts(rows, metric)
    if found.reviews < limit.reviews:
        return f"{found.reviews} reviews of the candidate's answers, and {limit.reviews} are needed"
    if found.ac1 is None or found.ac1 < limit.ac1:
        by = "nothing" if found.ac1 is None else f"AC1 = {found.ac1:.2f}"
        return f"the judge agrees with reviewers by {by}, and the limit is {limit.ac1:.2f}"
    return None


def _outcome(state: str) -> JudgeOutcome | None:
    return next((outcome for outcome in OUTCOMES if outcome == state), None)
