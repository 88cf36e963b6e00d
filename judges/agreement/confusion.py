"""The judge against reviewers: confusion with intervals, chance-corrected agreement, and worth."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from judges.agreement.chance import ChanceCorrected, gwet_ac1_of_rows
from judges.agreement.rows import AgreementRow
from judges.agreement.worth import JudgeWorth, worth_of_rows
from judges.outcome import OUTCOMES, JudgeOutcome
from judges.weighted_rate import RateEstimate, rate_of_values
from judges.weighted_rows import row_arrays
from labels.agreement import cohen_kappa, krippendorff_alpha

GOOD: Final = "good"
BAD: Final = "bad"


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """How far a judge agrees with reviewers, on rows that were reviewed with a known probability.

    ``confusion`` counts reviews by outcome and by what the reviewers say. ``sensitivity`` is the
    share of bad answers that the judge fails, ``specificity`` that of good answers that it passes,
    ``agreement`` that of all; these, ``ac1``, ``kappa`` and ``alpha`` are among the rows that it
    decided (pass or fail), a share ``decided`` of those that it applies to. ``kappa`` (Cohen) and
    ``alpha`` (Krippendorff) are not weighted. ``worth`` says how many reviews 100 reviews are worth
    with this judge.
    """

    reviews: int
    confusion: Mapping[tuple[JudgeOutcome, str], int]
    decided: RateEstimate
    agreement: RateEstimate
    sensitivity: RateEstimate
    specificity: RateEstimate
    ac1: ChanceCorrected | None
    kappa: float | None
    alpha: float | None
    worth: JudgeWorth | None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        shares = ("decided", "agreement", "sensitivity", "specificity")
        return {
            "reviews": self.reviews,
            "confusion": {
                outcome: {said: self.confusion.get((outcome, said), 0) for said in (GOOD, BAD)}
                for outcome in OUTCOMES
            },
            **{name: _share_json(getattr(self, name)) for name in shares},
            "ac1": None if self.ac1 is None else self.ac1.to_json(),
            "kappa": self.kappa,
            "alpha": self.alpha,
            "worth_in_reviews": None if self.worth is None else self.worth.to_json(),
        }


def measure_agreement(rows: Iterable[AgreementRow], *, confidence: float = 0.95) -> JudgeAgreement:
    """Return the agreement on reviewed rows; those that the judge does not apply to are counted."""
    held = list(rows)
    applicable = [row for row in held if row.outcome != "not_applicable"]
    decided = [row for row in applicable if row.is_decided]

    def share(some: Sequence[AgreementRow], holds: Callable[[AgreementRow], bool]) -> RateEstimate:
        values = np.array([holds(row) for row in some], float)
        return rate_of_values(row_arrays(row.weighted for row in some), values, confidence)

    said = [(row.outcome, "pass" if row.reviewed_good else "fail") for row in decided]
    return JudgeAgreement(
        reviews=len(held),
        confusion=Counter((row.outcome, GOOD if row.reviewed_good else BAD) for row in held),
        decided=share(applicable, lambda row: row.is_decided),
        agreement=share(decided, _agrees),
        sensitivity=share([row for row in decided if not row.reviewed_good], _agrees),
        specificity=share([row for row in decided if row.reviewed_good], _agrees),
        ac1=gwet_ac1_of_rows(decided, confidence=confidence),
        kappa=cohen_kappa(said),
        alpha=krippendorff_alpha(said),
        worth=worth_of_rows(applicable, confidence=confidence),
    )


def agreement_by(
    rows: Iterable[AgreementRow],
    part_of: Callable[[AgreementRow], str],
    *,
    confidence: float = 0.95,
) -> Mapping[str, JudgeAgreement]:
    """Return the agreement in each part, such as a segment or an epoch, by name in order."""
    parts: dict[str, list[AgreementRow]] = {}
    for row in rows:
        parts.setdefault(part_of(row), []).append(row)
    return {name: measure_agreement(parts[name], confidence=confidence) for name in sorted(parts)}


def _agrees(row: AgreementRow) -> bool:
    return (row.outcome == "pass") == row.reviewed_good


def _share_json(share: RateEstimate) -> dict[str, float | None]:
    return {"estimate": share.estimate, "low": share.low, "high": share.high}
