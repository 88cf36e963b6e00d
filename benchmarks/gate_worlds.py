"""Rows of a gate that are drawn: conversations, answers, verdicts, costs and reviews.

Rows are in conversations of one to four, and alike within one. 10 % of the verdicts are unknown
and 2 % are errors. Reviewers see half of the rows, drawn as `goldpan gate --ask-reviews` does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from judges.gate.readings import GateReview, GateRows, MetricReadings
from judges.gate.review_draw import draw_reviews, review_strata
from judges.weighted_rows import FloatArray, IndexArray, RowArrays

UNKNOWN: Final = 0.10
ERROR: Final = 0.02
SPREAD: Final = 0.5
"""The standard deviation of the logarithms of latencies and costs."""
_ALIKE: Final = 0.4
"""The correlation within a conversation of what decides a verdict, a latency and a cost."""
_UNIT: Final = NormalDist()


class GateWorld:
    """Draws rows of a gate, whose truth is ``shift`` above the bar of one requirement."""

    def __init__(self, rng: np.random.Generator, rows: int) -> None:
        self.rng = rng
        sizes: list[int] = []
        while sum(sizes) < rows:
            sizes.append(int(rng.integers(1, 5)))
        self.cluster: IndexArray = np.repeat(np.arange(len(sizes)), sizes)[:rows].astype(np.int64)
        self.rows = rows

    def normal(self, alike: float = _ALIKE) -> FloatArray:
        """Return normal numbers that are alike within a conversation."""
        shared = self.rng.standard_normal(int(self.cluster.max()) + 1)[self.cluster]
        own = self.rng.standard_normal(self.rows)
        found: FloatArray = math.sqrt(alike) * shared + math.sqrt(1 - alike) * own
        return found

    def below(self, share: float) -> FloatArray:
        """Return 1 for a share of the rows, and 0 for the others."""
        limit = _UNIT.inv_cdf(min(max(share, 1e-9), 1 - 1e-9))
        return (self.normal() < limit).astype(float)

    def verdicts(self, good: FloatArray) -> MetricReadings:
        """Return verdicts on answers, some of them unknown or errors."""
        place = self.rng.random(self.rows)
        states = np.where(good > 0, "pass", "fail")
        states = np.where(place < UNKNOWN, "unknown", states)
        states = np.where(place > 1 - ERROR, "error", states)
        values = np.where((states == "pass") | (states == "fail"), good, np.nan)
        return MetricReadings(values, states.astype(np.str_))

    def pair(self, difference: float, changed: float) -> tuple[FloatArray, FloatArray]:
        """Return good answers of candidate and baseline that differ on a share of the rows."""
        place = _normal_share(self.normal())
        gained, lost = (changed + difference) / 2, (changed - difference) / 2
        old = np.where(place < lost, 1.0, np.where(place < changed, 0.0, 1.0 * (place < 0.87)))
        new = np.where(place < lost, 0.0, np.where(place < lost + gained, 1.0, old))
        return new, old

    def lognormal(self, median_: float) -> FloatArray:
        """Return numbers with a long tail."""
        found: FloatArray = median_ * np.exp(SPREAD * self.normal())
        return found

    def gate_rows(
        self,
        candidate: Mapping[str, MetricReadings],
        baseline: Mapping[str, MetricReadings] | None = None,
        reviews: Mapping[str, Sequence[GateReview]] | None = None,
        segments: Mapping[str, Sequence[str]] | None = None,
    ) -> GateRows:
        """Return the rows of a gate."""
        weights = RowArrays(np.ones(self.rows), self.cluster)
        return GateRows(weights, candidate, baseline or {}, segments or {}, {}, reviews or {})


def _normal_share(values: FloatArray) -> FloatArray:
    """Return the normal distribution function, to seven digits: Abramowitz and Stegun, 26.2.17."""
    t = 1 / (1 + 0.2316419 * np.abs(values))
    factors = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)
    tail = np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi)
    tail = tail * sum(factor * t ** (at + 1) for at, factor in enumerate(factors))
    found: FloatArray = np.where(values > 0, 1 - tail, tail)
    return found


def numbers(values: FloatArray) -> MetricReadings:
    """Return numbers as readings."""
    return MetricReadings(values, np.full(len(values), "value"))


@dataclass(frozen=True, slots=True)
class SimulatedJudge:
    """A judge that passes a share of the good answers, and fails a share of the bad ones."""

    sensitivity: float
    specificity: float

    def verdicts(self, world: GateWorld, good: FloatArray) -> MetricReadings:
        """Return what it says of answers."""
        place = world.rng.random(world.rows)
        passes = np.where(good > 0, place < self.sensitivity, place >= self.specificity)
        return world.verdicts(passes.astype(float))


FAIR: Final = SimulatedJudge(0.85, 0.85)
REAL: Final = SimulatedJudge(0.8, 0.7)
"""As judges were measured: they agree with reviewers on three of four answers."""
LENIENT: Final = SimulatedJudge(0.95, 0.4)
"""One that likes the style of the candidate, so that its bias differs between two sides."""


def reviews_of(drawn: Mapping[int, float], good: FloatArray) -> list[GateReview]:
    """Return what reviewers say of the rows that were drawn."""
    return [GateReview(at, bool(good[at] > 0), drawn[at]) for at in sorted(drawn)]


def rows_to_review(
    world: GateWorld, judged: MetricReadings, baseline: MetricReadings | None = None
) -> dict[int, float]:
    """Return the rows that reviewers see, as `goldpan gate --ask-reviews` draws them."""
    marks = [str(mark) for mark in world.rng.integers(1 << 62, size=world.rows)]
    return draw_reviews(marks, review_strata(judged, baseline), world.rows // 2, "simulated")
