"""What a run of a judge found: the outcomes of all rows, and what they say of the answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batch.judge.reported_rows import ReportedRows
from batch.judge.reviewed_answers import ReviewedAnswer
from judges.as_judged import JudgedRate
from judges.correction.post_stratified import CorrectedRate, estimate_good_rate
from judges.correction.tuned import TunedRate, estimate_tuned_rate
from judges.outcome import OutcomeCounts


@dataclass(slots=True)
class CallCounts:
    """What a run asked and paid: calls made, answers of equal questions used, tokens and cost.

    ``cost_usd`` is None where the judge's file has no prices.
    """

    made: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "made": self.made,
            "cached": self.cached,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
        }


@dataclass(slots=True)
class JudgeRunReport:
    """The outcome of a run over all rows that were drawn, judged now or before.

    ``judged`` counts those judged by this run, ``known`` those whose judgement was there already.
    """

    rows: ReportedRows = field(default_factory=ReportedRows)
    judged: int = 0
    known: int = 0
    repeats: int = 0
    calls: CallCounts = field(default_factory=CallCounts)

    @property
    def counts(self) -> OutcomeCounts:
        """Return the counts of all outcomes; they add up to what was drawn."""
        return self.rows.counts()

    @property
    def as_judged(self) -> JudgedRate:
        """Return the share that the judge passes, taken at its word."""
        return self.rows.judged_sums().rate()

    @property
    def not_sampled(self) -> int:
        """Return how many rows are in no estimate: a spec names them, or they are synthetic."""
        return self.rows.not_sampled

    @property
    def epochs(self) -> Mapping[int, int]:
        """Return how many rows were judged in which epoch."""
        return self.rows.epochs()

    def corrected(self, reviewed: Mapping[str, ReviewedAnswer]) -> CorrectedRate | None:
        """Return what reviewers would say, None with too few reviews of known probability."""
        return estimate_good_rate(self.rows.units(reviewed))

    def tuned(self, reviewed: Mapping[str, ReviewedAnswer]) -> TunedRate | None:
        """Return the same by the judge's probabilities, None where it gives none."""
        return estimate_tuned_rate(self.rows.units(reviewed))
