"""Bounds of what reviewers would say: of the candidate, and of its difference from the baseline.

Reviewers judge a random part of the answers, and the judge's verdicts divide the rows into strata:
pass rates by `judges.correction.post_stratified`, their differences by
`judges.correction.paired_difference`, and the cost of a task that reviewers would call done by
`judges.correction.linear_reviews`. What more evidence is made of are the reviews, so that ``rows``
of these bounds are the reviewed rows; of a difference, those that are reviewed on both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from judges.correction.linear_reviews import LinearGood, linear_good
from judges.correction.paired_difference import estimate_difference
from judges.correction.post_stratified import estimate_of_arrays
from judges.correction.strata import OUTCOME_ORDER, pair_stratum
from judges.correction.units import UnitArrays
from judges.gate.bounds import OneSidedBounds
from judges.gate.metric_names import GateMetric
from judges.gate.paired_bounds import PairedBounds
from judges.gate.readings import BASELINE, CANDIDATE, GateReview, GateRows, GateSide
from judges.gate.share_bounds import ShareBounds
from judges.gate.total_bounds import TotalBounds
from judges.weighted_rows import FloatArray, MaskArray, cluster_sums

_SAMPLED: Final = 1e-6
"""The rows of a release are a sample too, of so many more like them that these are no part of it:
the bounds of what a judge says speak of the same."""


def human_bounds(rows: GateRows, metric: GateMetric, mask: MaskArray) -> OneSidedBounds | None:
    """Return a metric of the candidate as reviewers would say, on the rows of a mask.

    A pass rate, or the cost of a success. None with fewer than two reviews, or without a success.
    """
    name = metric.verdict
    reviews = rows.reviews_of(CANDIDATE, name)
    if metric.kind == "cost_ratio":
        cost = _side_cost(rows, CANDIDATE, metric, reviews, mask)
        return None if cost is None else cost.bounds()
    units = _units(
        rows, rows.candidate[name].states, reviews, mask & _judged(rows, CANDIDATE, name)
    )
    found = estimate_of_arrays(units)
    if found is None:
        return None
    return ShareBounds(found.estimate, found.reviews, found.effective, found.freedom)


def human_difference(rows: GateRows, metric: GateMetric, mask: MaskArray) -> OneSidedBounds | None:
    """Return candidate less baseline as reviewers would say, on the rows of a mask.

    None with fewer than two rows that are reviewed on both sides.
    """
    name = metric.verdict
    pairs = rows.paired_reviews(name)
    judged = mask & _judged(rows, CANDIDATE, name) & _judged(rows, BASELINE, name)
    if metric.kind == "cost_ratio":
        return _cost_difference(rows, metric, pairs, judged)
    sides = [rows.side(side)[name].states.tolist() for side in (CANDIDATE, BASELINE)]
    strata = [pair_stratum(new, old) or "" for new, old in zip(*sides, strict=True)]
    held = [pair for pair in pairs if judged[pair[0].at]]
    units = _units(rows, np.array(strata, np.str_), [new for new, _ in held], judged)
    found = estimate_difference(units, np.array([old.is_good for _, old in held], float))
    if found is None:
        return None
    return PairedBounds(
        found.gained, found.lost, found.reviews, found.effective, found.freedom, None, None
    )


@dataclass(frozen=True, slots=True)
class _SideCost:
    """What one side's tasks cost, and the number of those that reviewers would call done."""

    units: UnitArrays
    costs: FloatArray
    done: LinearGood

    @property
    def ratio(self) -> float:
        return float(self.costs.sum() / self.done.parts.sum())

    @property
    def scale(self) -> float:
        """Return the rows of a task that is done, by their weights."""
        return float(self.units.weight.sum() / self.done.parts.sum())

    @property
    def linear(self) -> FloatArray:
        """Return row totals whose sum over that of the weights is the ratio, and varies so."""
        linear: FloatArray = self.units.weight * self.ratio + self.scale * (
            self.costs - self.ratio * self.done.parts
        )
        return linear

    @property
    def hidden(self) -> float:
        """Return the variance of the sum of `linear` that it does not show."""
        return (self.ratio * self.scale) ** 2 * self.done.hidden

    def bounds(self) -> TotalBounds:
        """Return the bounds of the ratio, by Fieller's test on the clusters' totals."""
        over, under = (
            cluster_sums(parts, self.units.cluster) for parts in (self.costs, self.done.parts)
        )
        return TotalBounds(
            over,
            under,
            self.units.reviews,
            least=0.0,
            hidden=(0.0, self.done.hidden),
            freedom=self.done.freedom,
        )


def _side_cost(
    rows: GateRows,
    side: GateSide,
    metric: GateMetric,
    reviews: Sequence[GateReview],
    mask: MaskArray,
) -> _SideCost | None:
    """Return the costs of a side on the rows that have one; None without reviews or successes."""
    cost, done = (rows.side(side)[name] for name in metric.reads)
    kept = mask & cost.has_value & _judged(rows, side, metric.verdict)
    units = _units(rows, done.states, reviews, kept)
    found = linear_good(units)
    if found is None or float(found.parts.sum()) <= 0:
        return None
    return _SideCost(units, units.weight * cost.values[kept], found)


def _cost_difference(
    rows: GateRows,
    metric: GateMetric,
    pairs: Sequence[tuple[GateReview, GateReview]],
    mask: MaskArray,
) -> OneSidedBounds | None:
    """Return the difference of two costs of a success, each made linear."""
    both_sides: tuple[GateSide, ...] = (CANDIDATE, BASELINE)
    for side in both_sides:
        mask = mask & rows.side(side)[metric.reads[0]].has_value
    sides = [
        _side_cost(rows, side, metric, [pair[at] for pair in pairs], mask)
        for at, side in enumerate(both_sides)
    ]
    new, old = sides
    if new is None or old is None:
        return None
    own, both, under = (
        cluster_sums(parts, new.units.cluster)
        for parts in (new.linear, new.linear - old.linear, new.units.weight)
    )
    hidden = new.hidden + old.hidden
    # The candidate's part of the spread grows with its cost.
    part = (_spread(own - new.ratio * under) + new.hidden) / (
        _spread(both - (new.ratio - old.ratio) * under) + hidden
    )
    return TotalBounds(
        both,
        under,
        new.units.reviews,
        hidden=(hidden, 0.0),
        freedom=min(new.done.freedom, old.done.freedom),
        drift=min(part, 1.0) / new.ratio if new.ratio > 0 else 0.0,
    )


def _spread(deviations: FloatArray) -> float:
    return float(deviations @ deviations)


def _judged(rows: GateRows, side: GateSide, name: str) -> MaskArray:
    """Return which rows have an outcome of a judge."""
    return np.isin(rows.side(side)[name].states, OUTCOME_ORDER)


def _units(
    rows: GateRows, strata: NDArray[np.str_], reviews: Sequence[GateReview], judged: MaskArray
) -> UnitArrays:
    """Return the judged rows with their strata, and those of the reviews that are of these."""
    held = [review for review in reviews if judged[review.at]]
    at = np.array([review.at for review in held], np.int64)
    weight = rows.weights.weight / _SAMPLED
    chance = np.array([review.probability for review in held], float) / weight[at]
    return UnitArrays(
        stratum=strata[judged],
        cluster=rows.weights.cluster[judged],
        weight=weight[judged],
        chance=1 / weight[judged],
        p_fail=np.full(int(judged.sum()), np.nan),
        of_review=(np.cumsum(judged) - 1)[at],
        good=np.array([review.is_good for review in held], float),
        review_weight=1 / chance,
        review_chance=chance,
        judged=int(judged.sum()),
    )
