"""The claim that a candidate is as good as humans would judge it, from reviews of its answers."""

from typing import Final

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


def unvalidated(rows: GateRows, metric: str, limit: AgreementLimit) -> str | None:
    """Return why a judge is not validated for the claim, None if it is.

    It must agree with reviewers on enough answers of the candidate, by Gwet's AC1 on those that it
    decided, each weighted by its probability of review.
    """
    states = rows.candidate[metric].states
    reviews = rows.reviews.get(metric, ())
    decided = [each for each in reviews if str(states[each.at]) in ("pass", "fail")]
    if len(reviews) < limit.reviews:
        return f"{len(reviews)} reviews of the candidate's answers, and {limit.reviews} are needed"
    said = [(str(states[each.at]), "pass" if each.is_good else "fail") for each in decided]
    agreement = gwet_ac1(said, [1 / each.probability for each in decided])
    if agreement is None or agreement < limit.ac1:
        found = "nothing" if agreement is None else f"AC1 = {agreement:.2f}"
        return f"the judge agrees with reviewers by {found}, and the limit is {limit.ac1:.2f}"
    return None


def _outcome(state: str) -> JudgeOutcome | None:
    return next((outcome for outcome in OUTCOMES if outcome == state), None)
