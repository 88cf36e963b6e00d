"""Judged rows in strata, with the reviews of some: what the estimates from both have in common.

Stratum k stands for the share ``W_k`` of the population, by the weights of the judged rows, and has
``n_k`` reviews (Kish's effective number if their weights differ). An estimate is the sum of W_k
times the mean of the reviews in k, and has a variance with two parts (Cochran, Sampling Techniques,
1977, 5A.9 and ch. 12):

- within strata, that of the reviews: sum_k W_k² s_k² / (n_k + 1) · (1 - f_k) · d, where f_k is the
  share that the reviews are of the population and d >= 1 the design effect of clusters;
- between strata, where the judged rows are a sample themselves: that of the weighted mean of the
  strata's means over the judged rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judges.correction.strata import Stratum, merge_strata
from judges.correction.units import UnitArrays, between_variance
from judges.weighted_rows import FloatArray, IndexArray, cluster_count, clustered_effect


@dataclass(frozen=True, slots=True)
class StratifiedReviews:
    """Judged rows with their strata, by place; ``of_unit`` and ``of_review`` are these places."""

    arrays: UnitArrays
    strata: Sequence[Stratum]
    of_unit: IndexArray
    of_review: IndexArray

    @classmethod
    def of(cls, arrays: UnitArrays, strata: Sequence[Stratum]) -> "StratifiedReviews":
        """Return rows in strata that hold each of their names once."""
        numbers = {name: at for at, names in enumerate(strata) for name in names}
        names, places = np.unique(arrays.stratum, return_inverse=True)
        of_unit = np.array([numbers[name] for name in names.tolist()], np.int64)[places]
        return cls(arrays, strata, of_unit, of_unit[arrays.of_review])

    @property
    def shares(self) -> FloatArray:
        """Return the share of the population in each stratum."""
        return self._sums(self.of_unit, self.arrays.shares)

    @property
    def sizes(self) -> FloatArray:
        """Return the effective number of reviews in each stratum."""
        weight = self.arrays.review_weight
        return self._totals**2 / self._sums(self.of_review, weight**2)

    @property
    def counts(self) -> list[int]:
        """Return the number of reviews in each stratum."""
        return [int((self.of_review == at).sum()) for at in range(len(self.strata))]

    @property
    def freedom(self) -> int:
        """Return the degrees of freedom of a variance: reviewed clusters less strata."""
        clusters = cluster_count(self.review_cluster)
        return max(1, min(self.arrays.reviews, clusters) - len(self.strata))

    @property
    def review_cluster(self) -> IndexArray:
        """Return the cluster of each review."""
        return self.arrays.cluster[self.arrays.of_review]

    def stratum_means(self, values: FloatArray) -> FloatArray:
        """Return the weighted mean in each stratum of what each review says."""
        return self._sums(self.of_review, self.arrays.review_weight * values) / self._totals

    def deviations(self, values: FloatArray) -> FloatArray:
        """Return what each review adds to the estimate of the mean of values, above expectation."""
        weight = self.arrays.review_weight * (values - self.stratum_means(values)[self.of_review])
        deviations: FloatArray = (self.shares / self._totals)[self.of_review] * weight
        return deviations

    def design_effect(self, values: FloatArray) -> float:
        """Return the design effect of clusters on the estimate of the mean of values."""
        return clustered_effect(self.deviations(values), self.review_cluster)

    def variance(self, values: FloatArray, spreads: FloatArray) -> float:
        """Return the variance of the estimated mean; ``spreads`` are the s_k² of its values."""
        chance = 1 - self.arrays.review_chance
        unseen = self._sums(self.of_review, self.arrays.review_weight * chance) / self._totals
        within = float(np.sum(self.shares**2 * spreads / (self.sizes + 1) * unseen))
        means = self.stratum_means(values)
        between = between_variance(self.arrays, means[self.of_unit], float(self.shares @ means))
        return within * self.design_effect(values) + between

    @property
    def _totals(self) -> FloatArray:
        return self._sums(self.of_review, self.arrays.review_weight)

    def _sums(self, places: IndexArray, values: FloatArray) -> FloatArray:
        """Return the sum of the values in each stratum."""
        sums = np.bincount(places, weights=values, minlength=len(self.strata))
        return sums.astype(float)


def in_strata(arrays: UnitArrays, order: Sequence[str]) -> StratifiedReviews:
    """Return rows in the strata that `judges.correction.strata.merge_strata` makes of them."""
    reviewed = arrays.stratum[arrays.of_review]
    counts = {name: int((reviewed == name).sum()) for name in np.unique(arrays.stratum).tolist()}
    return StratifiedReviews.of(arrays, merge_strata(counts, order))
