"""What a run of a judge found: the outcomes of all rows, and what they say of the answers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from batch.judge.reviewed_answers import ReviewedAnswer
from judges.as_judged import JudgedRate, judged_rate
from judges.correction.post_stratified import CorrectedRate, estimate_good_rate
from judges.correction.tuned import TunedRate, estimate_tuned_rate
from judges.correction.units import JudgedUnit
from judges.outcome import JudgeAnswer, OutcomeCounts
from judges.weighted_rows import WeightedRow


class ReportedRow(NamedTuple):
    """A judged row: its trace, how much it stands for, and its answer; None while it is pending.

    ``is_sampled``: it counts in estimates.
    """

    trace_id: str
    weighted: WeightedRow
    answer: JudgeAnswer | None
    epoch: int
    is_sampled: bool = True


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

    rows: list[ReportedRow] = field(default_factory=list)
    judged: int = 0
    known: int = 0
    repeats: int = 0
    calls: CallCounts = field(default_factory=CallCounts)
    _equal: dict[Any, Any] = field(default_factory=dict, repr=False)

    def add(self, row: ReportedRow) -> None:
        """Add a row; equal answers and weights are kept once."""
        weighted = self._equal.setdefault(row.weighted, row.weighted)
        answer = row.answer
        if answer is not None and answer.p_fail is None:
            answer = self._equal.setdefault(answer, answer)
        self.rows.append(row._replace(weighted=weighted, answer=answer))

    @property
    def counts(self) -> OutcomeCounts:
        """Return the counts of all outcomes; they add up to what was drawn."""
        answers = [row.answer for row in self.rows if row.answer is not None]
        return OutcomeCounts.of(answers, drawn=len(self.rows))

    @property
    def as_judged(self) -> JudgedRate:
        """Return the share that the judge passes, taken at its word."""
        sampled = [row for row in self.rows if row.is_sampled]
        judged = [(row.answer, row.weighted) for row in sampled if row.answer is not None]
        return judged_rate(judged, drawn=len(sampled))

    @property
    def not_sampled(self) -> int:
        """Return how many rows are in no estimate: a spec names them, or they are synthetic."""
        return sum(not row.is_sampled for row in self.rows)

    @property
    def epochs(self) -> Mapping[int, int]:
        """Return how many rows were judged in which epoch."""
        return dict(sorted(Counter(row.epoch for row in self.rows if row.answer).items()))

    def units(self, reviewed: Mapping[str, ReviewedAnswer]) -> list[JudgedUnit]:
        """Return the judged rows with the reviews of their traces, for estimates.

        Outcomes of an earlier epoch are strata of their own: its model judged otherwise.
        """
        newest = max(self.epochs, default=0)
        units = []
        for row in self.rows:
            if row.answer is None or not row.is_sampled:
                continue
            review = reviewed.get(row.trace_id)
            probability = None if review is None else review.probability
            units.append(
                JudgedUnit(
                    row.answer.outcome,
                    None if review is None else review.good,
                    None if probability is None else probability * row.weighted.probability,
                    row.weighted.probability,
                    row.weighted.cluster,
                    row.answer.p_fail,
                    None if row.epoch == newest else f"{row.answer.outcome} in epoch {row.epoch}",
                )
            )
        return units

    def corrected(self, reviewed: Mapping[str, ReviewedAnswer]) -> CorrectedRate | None:
        """Return what reviewers would say, None with too few reviews of known probability."""
        return estimate_good_rate(self.units(reviewed))

    def tuned(self, reviewed: Mapping[str, ReviewedAnswer]) -> TunedRate | None:
        """Return the same by the judge's probabilities, None where it gives none."""
        return estimate_tuned_rate(self.units(reviewed))
