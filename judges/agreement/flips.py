"""How often a judge contradicts itself on the same input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from judges.outcome import VERDICTS, JudgeOutcome
from judges.weighted_rate import RateEstimate, rate_of_values
from judges.weighted_rows import WeightedRow, row_arrays


@dataclass(frozen=True, slots=True)
class JudgeFlips:
    """How often two judgements of the same row differ, over ``rows`` rows judged repeatedly.

    ``flips``: any two verdicts (pass, fail, unknown) that differ. ``reversals``: pass against fail.
    Errors are no verdicts and in no pair.
    """

    rows: int
    flips: RateEstimate
    reversals: RateEstimate

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "rows": self.rows,
            **{
                name: {"estimate": rate.estimate, "low": rate.low, "high": rate.high}
                for name, rate in (("flips", self.flips), ("reversals", self.reversals))
            },
        }


def measure_flips(
    repeats: Iterable[Sequence[JudgeOutcome]], *, confidence: float = 0.95
) -> JudgeFlips:
    """Return the flips, from the outcomes of each row that was judged repeatedly.

    The share of a row is that of its pairs of verdicts; the mean is over rows with a pair.
    """
    pairs = [list(combinations([o for o in row if o in VERDICTS], 2)) for row in repeats]
    paired = [row for row in pairs if row]
    rows = row_arrays(WeightedRow() for _ in paired)
    flips = [sum(a != b for a, b in row) / len(row) for row in paired]
    reversals = [sum({a, b} == {"pass", "fail"} for a, b in row) / len(row) for row in paired]
    return JudgeFlips(
        len(paired),
        rate_of_values(rows, np.array(flips, float), confidence),
        rate_of_values(rows, np.array(reversals, float), confidence),
    )
