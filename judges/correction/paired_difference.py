"""The difference of two pass rates as reviewers would say, from rows reviewed on both sides.

Two sides answered the same rows, a judge judged both answers of each, and reviewers judge both of a
random part of the rows. The strata k are the pairs of verdicts (`pair_stratum`), and in each the
reviewed rows give the share that only one side answers well:

    difference = sum_k W_k (g_k - l_k)

with g_k the share of reviewed rows in k that the new side alone answers well, and l_k that of the
old side. The bias of a judge on either side, and the difference of both, cancel: only what
reviewers say of a stratum counts. That both answers of a row are reviewed removes what makes a row
hard or easy. It is the difference estimator of two-phase sampling for stratification (Cochran,
Sampling Techniques, 1977, 12.2; for pairs of predictions Fisch et al., StratPPI, arXiv 2406.04291).

Its variance is that of `judges.correction.stratified_reviews` with n_k instead of n_k + 1. Half a
pseudo-observation is added for each of the four pairs of reviews (Agresti and Min, Statistics in
Medicine 24, 2005), so that a stratum in which no row changed does not count as known:

    s_k² = g + l - (g - l)²,    g = (n_k g_k + .5) / (n_k + 2),  l = (n_k l_k + .5) / (n_k + 2)
"""

from dataclasses import dataclass
from typing import Final

from judges.correction.strata import PAIR_ORDER
from judges.correction.stratified_reviews import in_strata
from judges.correction.units import UnitArrays
from judges.weighted_rows import FloatArray

_FEWEST: Final = 2
"""With fewer reviewed rows there is no estimate."""


@dataclass(frozen=True, slots=True)
class CorrectedDifference:
    """The share of rows that only the new side answers well, and that of the old side alone.

    ``reviews`` count the rows that are reviewed on both sides. ``effective`` is the number of rows
    of a simple random sample of the same precision, and ``freedom`` that of its variance.
    """

    gained: float
    lost: float
    reviews: int
    effective: float
    freedom: int


def estimate_difference(arrays: UnitArrays, old_good: FloatArray) -> CorrectedDifference | None:
    """Return the difference of two sides; None with fewer than two rows reviewed on both.

    The strata of ``arrays`` are those of `judges.correction.strata.pair_stratum`, its reviews are
    of the new side, and ``old_good`` are those of the old side of the same rows.
    """
    if arrays.reviews < _FEWEST:
        return None
    reviews = in_strata(arrays, PAIR_ORDER)
    shares, sizes = reviews.shares, reviews.sizes
    gained, lost = (
        reviews.stratum_means(both)
        for both in (arrays.good * (1 - old_good), (1 - arrays.good) * old_good)
    )
    up, down = ((share * sizes + 0.5) / (sizes + 2) for share in (gained, lost))
    spread = _spread(up, down)
    variance = reviews.variance(arrays.good - old_good, spread * (sizes + 1) / sizes)
    whole = float(_spread(shares @ up, shares @ down))
    return CorrectedDifference(
        float(shares @ gained),
        float(shares @ lost),
        arrays.reviews,
        whole / variance,
        reviews.freedom,
    )


def _spread(gained: FloatArray, lost: FloatArray) -> FloatArray:
    """Return the variance of one row's difference."""
    spread: FloatArray = gained + lost - (gained - lost) ** 2
    return spread
