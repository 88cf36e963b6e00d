"""What the judge says, taken at its word: passes among passes and fails, and what the rest allows.

This is no estimate of what reviewers would say (`judges.correction`). Its interval is about the
drawing of rows alone, and not about the judge's errors.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from judges.outcome import JudgeAnswer, OutcomeCounts
from judges.weighted_rate import RateMoments, moments_of, rate_of_moments
from judges.weighted_rows import WeightedRow, row_arrays


@dataclass(frozen=True, slots=True)
class JudgedRate:
    """The share of rows that a judge passes, of those that it decided.

    ``low`` to ``high`` is the interval of drawing. ``least`` to ``most`` is the range that unknown
    and error allow: all of them bad, or all of them good. Both are None where no row applies;
    ``estimate`` is None where none was decided. ``effective`` is the size of a simple sample of the
    same precision.
    """

    estimate: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    confidence: float
    effective: float
    design_effect: float
    counts: OutcomeCounts

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, with the counts of all outcomes as ``outcomes``."""
        return {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "least": self.least,
            "most": self.most,
            "confidence": self.confidence,
            "effective": self.effective,
            "design_effect": self.design_effect,
            "outcomes": self.counts.to_json(),
        }


@dataclass(frozen=True, slots=True)
class JudgedSums:
    """What the rate as judged is made of; parts that share no cluster add up.

    ``decided`` are the sums over rows that passed (1) or failed (0), ``undecided`` is the weight of
    unknown and error.
    """

    counts: OutcomeCounts
    decided: RateMoments
    undecided: float

    def __add__(self, other: "JudgedSums") -> "JudgedSums":
        return JudgedSums(
            self.counts + other.counts,
            self.decided + other.decided,
            self.undecided + other.undecided,
        )

    def rate(self, confidence: float = 0.95) -> JudgedRate:
        """Return the weighted share of pass ÷ (pass + fail), with its interval and the range.

        The interval is that of Korn and Graubard (1998) on Kish's effective size over the design
        effect of clusters.
        """
        decided, passed = map(float, self.decided.weight[:2])
        least, most = undecided_range(passed, decided, self.undecided)
        interval = rate_of_moments(self.decided, confidence)
        return JudgedRate(
            estimate=interval.estimate,
            low=interval.low,
            high=interval.high,
            least=least,
            most=most,
            confidence=confidence,
            effective=interval.effective,
            design_effect=interval.design_effect,
            counts=self.counts,
        )


def judged_sums(rows: Iterable[tuple[JudgeAnswer, WeightedRow]]) -> JudgedSums:
    """Return the sums of rows."""
    held = list(rows)
    arrays = row_arrays(row for _, row in held)
    outcome = np.array([answer.outcome for answer, _ in held], np.str_)
    passed, failed = outcome == "pass", outcome == "fail"
    decided = passed | failed
    return JudgedSums(
        OutcomeCounts.of(answer for answer, _ in held),
        moments_of(arrays.subset(decided), passed[decided].astype(float)),
        float(arrays.weight[(outcome == "unknown") | (outcome == "error")].sum()),
    )


def judged_rate(
    rows: Iterable[tuple[JudgeAnswer, WeightedRow]], *, confidence: float = 0.95
) -> JudgedRate:
    """Return the share of rows that a judge passes; as `JudgedSums.rate`."""
    return judged_sums(rows).rate(confidence)


def undecided_range(
    passed: float, decided: float, undecided: float
) -> tuple[float | None, float | None]:
    """Return the shares of good rows if all of unknown and error are bad, and if all are good.

    Given are weights. Rows that are not applicable are in none; None where no row applies.
    """
    applicable = decided + undecided
    if not applicable:
        return None, None
    return passed / applicable, (passed + undecided) / applicable
