"""The share of good answers from a judge whose errors were measured elsewhere.

Only for labels of *another* population, whose error rates are taken to hold here too (transport):

    good = (p + q0 - 1) / (q0 + q1 - 1)

where p is the share that the judge passes here, q1 the share of good answers that it passes and q0
the share of bad answers that it fails there. Rogan and Gladen, American Journal of Epidemiology
107, 1978; with errors of q0 and q1: Lee et al., arXiv 2511.21140. Where reviews of these very rows
exist, `judges.correction.post_stratified` is several times as precise and assumes less.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple


class ElsewhereReview(NamedTuple):
    """A row of the other population: whether the judge passed it, and whether it was good."""

    passed: bool
    good: bool


@dataclass(frozen=True, slots=True)
class TransportedRate:
    """The estimate by error rates from elsewhere, with its interval.

    ``sensitivity`` is q1, ``specificity`` q0, in terms of good answers.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    sensitivity: float
    specificity: float


def rogan_gladen(
    passed: float, judged: float, elsewhere: Iterable[ElsewhereReview], *, confidence: float = 0.95
) -> TransportedRate | None:
    """Return the estimate of ``passed`` out of ``judged`` rows here, with its interval.

    The interval is normal, by the delta method on shares with one pseudo-observation of each kind,
    and clipped to [0, 1]. None if there is no good or no bad row elsewhere, or if the judge is no
    better there than a coin: then it says nothing.
    """
    rows = list(elsewhere)
    good = sum(row.good for row in rows)
    bad = len(rows) - good
    if not good or not bad or judged <= 0:
        return None
    q1 = (sum(row.passed for row in rows if row.good) + 1) / (good + 2)
    q0 = (sum(not row.passed for row in rows if not row.good) + 1) / (bad + 2)
    gain = q0 + q1 - 1
    if gain <= 0:
        return None
    p = (passed + 1) / (judged + 2)
    estimate = (passed / judged + q0 - 1) / gain
    variance = (
        p * (1 - p) / judged
        + (1 - estimate) ** 2 * q0 * (1 - q0) / bad
        + estimate**2 * q1 * (1 - q1) / good
    ) / gain**2
    half = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    clipped = [min(1.0, max(0.0, value)) for value in (estimate, estimate - half, estimate + half)]
    return TransportedRate(clipped[0], clipped[1], clipped[2], confidence, q1, q0)
