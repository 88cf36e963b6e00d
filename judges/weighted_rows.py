"""Rows with weights and clusters, as estimates take them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.bool_]


class WeightedRow(NamedTuple):
    """How much a row stands for, and what it belongs to.

    ``probability`` is that with which it was drawn; its weight is one over it. ``cluster`` names
    what rows belong to together, such as a conversation or a user; None is a cluster of its own.
    """

    probability: float = 1.0
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class RowArrays:
    """Rows as arrays: the weight, and the number of the cluster."""

    weight: FloatArray
    cluster: IndexArray

    def subset(self, mask: MaskArray) -> "RowArrays":
        """Return the rows where ``mask`` is true."""
        return RowArrays(self.weight[mask], self.cluster[mask])


def row_arrays(rows: Iterable[WeightedRow]) -> RowArrays:
    """Return rows as arrays. Raises ValueError for a probability outside 0 < p <= 1."""
    held = list(rows)
    chance = draw_chances([row.probability for row in held])
    return RowArrays(1 / chance, cluster_numbers([row.cluster for row in held]))


def draw_chances(probabilities: Sequence[float]) -> FloatArray:
    """Return probabilities of a draw as an array; ValueError outside 0 < p <= 1."""
    chance = np.array(probabilities, float)
    if not bool(np.all((chance > 0) & (chance <= 1))):
        raise ValueError("the probability of a draw must be more than 0 and at most 1")
    return chance


def cluster_numbers(clusters: Sequence[str | None]) -> IndexArray:
    """Return a number for each row, equal within a cluster; a row without one is its own."""
    numbers: dict[Any, int] = {}
    return np.array(
        [
            numbers.setdefault((at,) if cluster is None else cluster, len(numbers))
            for at, cluster in enumerate(clusters)
        ],
        np.int64,
    )


def cluster_sums(values: FloatArray, cluster: IndexArray) -> FloatArray:
    """Return the sum of the values of each cluster."""
    _, places = np.unique(cluster, return_inverse=True)
    sums: FloatArray = np.bincount(places, weights=values).astype(float)
    return sums


def cluster_count(cluster: IndexArray) -> int:
    """Return the number of clusters that rows are in."""
    return len(np.unique(cluster))


def design_effect(rows: RowArrays, deviations: FloatArray) -> float:
    """Return by how much clusters inflate the variance of a weighted mean, at least 1.

    The sum of squares of the clusters' weighted deviations over that of the rows' (Kish, Survey
    Sampling, 1965, 8.2; Liang and Zeger, Biometrika 73, 1986). Where all rows say the same it
    cannot be seen, and is taken to be the rows that a cluster has in the mean.
    """
    return clustered_effect(rows.weight * deviations, rows.cluster)


def clustered_effect(contributions: FloatArray, cluster: IndexArray) -> float:
    """Return `design_effect` for what each row contributes to the deviation of an estimate."""
    clusters = len(np.unique(cluster))
    if clusters == len(contributions):
        return 1.0
    squares = float(np.sum(contributions**2))
    summed = float(np.sum(cluster_sums(contributions, cluster) ** 2))
    return effect_of_squares(len(contributions), clusters, squares, summed)


def effect_of_squares(rows: int, clusters: int, squares: float, summed: float) -> float:
    """Return `design_effect` from the sums of squares of contributions, by row and by cluster."""
    if squares <= 0:
        return rows / clusters
    return max(1.0, clusters / max(1, clusters - 1) * summed / squares)
