"""The judged rows that an estimate is made from, with the reviews of some of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from judges.outcome import JudgeOutcome
from judges.weighted_rows import FloatArray, IndexArray, cluster_numbers, cluster_sums, draw_chances


class JudgedUnit(NamedTuple):
    """A judged row, and its review where it has one.

    ``probability`` is that with which it came to be judged (1 where all rows were).
    ``reviewed_good`` is what the reviewers say: True for a good answer, None without a review.
    ``review_probability`` is that with which it came to be judged *and* reviewed; a review without
    one (from the queue of uncertain rows, say) corrects nothing. ``cluster`` names what rows belong
    to together, such as a conversation. ``stratum`` replaces the outcome as the stratum. One unit
    may stand for several ``rows`` without a review that are all judged; ``p_fail`` is their mean.
    """

    outcome: JudgeOutcome
    reviewed_good: bool | None = None
    review_probability: float | None = None
    probability: float = 1.0
    cluster: str | None = None
    p_fail: float | None = None
    stratum: str | None = None
    rows: int = 1

    @property
    def corrects(self) -> bool:
        """Return whether its review corrects anything."""
        return self.reviewed_good is not None and self.review_probability is not None


@dataclass(frozen=True, slots=True)
class UnitArrays:
    """Judged rows as arrays, those left out that a judge does not apply to.

    ``weight`` and ``chance`` are those of being judged. ``of_review`` holds the places of the rows
    whose reviews count; ``good``, ``review_weight`` and ``review_chance`` are of these. ``judged``
    is the number of rows.
    """

    stratum: npt.NDArray[np.str_]
    cluster: IndexArray
    weight: FloatArray
    chance: FloatArray
    p_fail: FloatArray
    of_review: IndexArray
    good: FloatArray
    review_weight: FloatArray
    review_chance: FloatArray
    judged: int

    @property
    def reviews(self) -> int:
        """Return the number of reviews that count."""
        return len(self.of_review)

    @property
    def shares(self) -> FloatArray:
        """Return the share of the population that each row stands for."""
        shares: FloatArray = self.weight / self.weight.sum()
        return shares

    def with_reviews(self, of_review: IndexArray, good: FloatArray, chance: float) -> "UnitArrays":
        """Return the same judged rows with other reviews, all of one probability."""
        chances = np.full(len(of_review), chance)
        return replace(
            self, of_review=of_review, good=good, review_weight=1 / chances, review_chance=chances
        )


def unit_arrays(units: Iterable[JudgedUnit]) -> UnitArrays:
    """Return rows as arrays. Raises ValueError for a probability outside 0 < p <= 1."""
    held = [unit for unit in units if unit.outcome != "not_applicable"]
    of_review = [at for at, unit in enumerate(held) if unit.corrects]
    chance = draw_chances([unit.probability for unit in held])
    review_chance = draw_chances([held[at].review_probability or 0.0 for at in of_review])
    return UnitArrays(
        stratum=np.array([unit.stratum or unit.outcome for unit in held], np.str_),
        cluster=cluster_numbers([unit.cluster for unit in held]),
        weight=np.array([unit.rows for unit in held], float) / chance,
        chance=chance,
        p_fail=np.array([np.nan if u.p_fail is None else u.p_fail for u in held], float),
        of_review=np.array(of_review, np.int64),
        good=np.array([held[at].reviewed_good for at in of_review], float),
        review_weight=1 / review_chance,
        review_chance=review_chance,
        judged=sum(unit.rows for unit in held),
    )


def between_variance(arrays: UnitArrays, values: FloatArray, mean: float) -> float:
    """Return the variance of the judged rows' weighted mean, which are a sample of the rest."""
    deviations = arrays.shares * (values - mean) * np.sqrt(1 - arrays.chance)
    sums = cluster_sums(deviations, arrays.cluster)
    return float(np.sum(sums**2)) * len(sums) / max(1, len(sums) - 1)
