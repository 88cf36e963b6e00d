"""What the judge says, taken at its word: passes among passes and fails, and what the rest allows.

This is no estimate of what reviewers would say (`judges.correction`). Its interval is about the
drawing of rows alone, and not about the judge's errors.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judges.outcome import JudgeAnswer, OutcomeCounts
from judges.weighted_rate import rate_of_values
from judges.weighted_rows import FloatArray, WeightedRow, row_arrays


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


def judged_rate(
    rows: Iterable[tuple[JudgeAnswer, WeightedRow]],
    *,
    confidence: float = 0.95,
    drawn: int | None = None,
) -> JudgedRate:
    """Return the weighted share of pass ÷ (pass + fail), with its interval and the range.

    The interval is that of Korn and Graubard (1998) on Kish's effective size over the design effect
    of clusters. Of ``drawn`` rows, those without an answer are pending and in no share.
    """
    held = list(rows)
    counts = OutcomeCounts.of([answer for answer, _ in held], drawn=drawn)
    arrays = row_arrays(row for _, row in held)
    outcome = np.array([answer.outcome for answer, _ in held], np.str_)
    passed, failed = outcome == "pass", outcome == "fail"
    decided = arrays.subset(passed | failed)
    least, most = undecided_range(outcome, arrays.weight)
    interval = rate_of_values(decided, passed[passed | failed].astype(float), confidence)
    return JudgedRate(
        estimate=interval.estimate,
        low=interval.low,
        high=interval.high,
        least=least,
        most=most,
        confidence=confidence,
        effective=interval.effective,
        design_effect=interval.design_effect,
        counts=counts,
    )


def undecided_range(
    outcome: NDArray[np.str_], weight: FloatArray
) -> tuple[float | None, float | None]:
    """Return the shares of good rows if all of unknown and error are bad, and if all are good.

    Rows that are not applicable are in neither; both are None where no row applies.
    """
    passed, failed = outcome == "pass", outcome == "fail"
    open_ones = (outcome == "unknown") | (outcome == "error")
    applicable = float(weight[passed | failed | open_ones].sum())
    if not applicable:
        return None, None
    sure = float(weight[passed].sum())
    return sure / applicable, (sure + float(weight[open_ones].sum())) / applicable
