"""Fits what all signals say together: logistic regression around the weights of the policy.

Given its signals, it is chance which trace is reviewed, so reviews of uncertain answers need no
weights here. The log-odds of fail are a base plus the weight of each signal that fires. The prior
expectation of the weights is the policy's; they may be off all together (by a factor, never a
negative one: a signal that points the wrong way says nothing of the others) and each by itself (by
a deviation). How far is not assumed but averaged over, by the marginal likelihood of the reviews on
a grid of factors and spreads (Laplace's approximation; D. MacKay, Bayesian Interpolation, 1992):
where the policy's weights fit, few reviews will do; where they do not, they soon count for little.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DEVIATIONS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
_FACTORS: Final = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
_FACTOR_SPREAD: Final = 0.5
"""Standard deviation of the logarithm of the factor, before any review."""
_BASE_SPREAD: Final = 1.0
"""How far the failure rate of traces without signals may be from that of all, in log-odds."""
_STEPS: Final = 100
_DRAWS: Final = 2_000
_NEAR: Final = 1e-9


class PatternCount(NamedTuple):
    """So many reviewed traces had these signals, and so many of them failed."""

    pattern: frozenset[str]
    reviews: int
    failed: int


@dataclass(frozen=True, slots=True)
class FitPrior:
    """What is believed before any review.

    ``weights`` are those of the policy, in log-odds of fail; ``base`` is the log-odds of its base
    rate, and ``spread`` their standard deviation. Without ``reviewers``, they never err.
    """

    base: float
    spread: float
    weights: Mapping[str, float]
    reviewers: "ReviewerPrior | None" = None


class ReviewerPrior(NamedTuple):
    """How far reviewers are believed, in log-odds, each with its standard deviation.

    ``sensitivity``: how often they call a bad answer bad, ``specificity``: a good one good.
    """

    sensitivity: float
    sensitivity_spread: float
    specificity: float
    specificity_spread: float


@dataclass(frozen=True, slots=True)
class SignalFit:
    """What is believed after the reviews: means of base and weights, and their covariance."""

    signals: tuple[str, ...]
    mean: Array
    covariance: Array

    @property
    def base(self) -> float:
        """Return the log-odds of fail of a trace without signals."""
        return float(self.mean[0])

    @property
    def weights(self) -> Mapping[str, float]:
        """Return what each signal adds to the log-odds of fail."""
        return dict(zip(self.signals, self.mean[1:].tolist(), strict=True))

    def error(self, population: Mapping[frozenset[str], int]) -> tuple[float, float]:
        """Return how far probabilities may be off, on the average over the population, for want of
        reviews: the mean of that, and what it does not exceed with 95 %.

        From draws of the parameters with a fixed seed. What the model cannot express is not in it.
        """
        patterns = list(population)
        shares = np.array([population[pattern] for pattern in patterns], float)
        rows = _design(patterns, self.signals)
        rng = np.random.default_rng(0)
        drawn = rng.multivariate_normal(self.mean, self.covariance, _DRAWS, method="eigh")
        gaps = np.abs(_logistic(drawn @ rows.T) - _logistic(rows @ self.mean))
        errors = gaps @ (shares / shares.sum())
        return float(errors.mean()), float(np.quantile(errors, 0.95))


def fit_signals(start: FitPrior, seen: Sequence[PatternCount]) -> SignalFit:
    """Return the fit to reviews, averaged over how far the policy's weights may be off."""
    signals = tuple(sorted(start.weights))
    centre = np.array([start.weights[name] for name in signals])
    rows = _design([one.pattern for one in seen], signals)
    reviews = np.array([one.reviews for one in seen], float)
    failed = np.array([one.failed for one in seen], float)
    spread = start.spread**2 + _BASE_SPREAD**2
    judges = start.reviewers
    centres = [judges.sensitivity, judges.specificity] if judges else []
    spreads = [judges.sensitivity_spread, judges.specificity_spread] if judges else []
    fits = [
        _mode(
            np.concatenate([[start.base], factor * centre, centres]),
            1 / np.array([spread, *[deviation**2] * len(centre), *(s**2 for s in spreads)]),
            rows,
            reviews,
            failed,
        ).likelier(-((math.log(factor) / _FACTOR_SPREAD) ** 2) / 2)
        for deviation, factor in product(_DEVIATIONS, _FACTORS)
    ]
    evidence = np.array([one.evidence for one in fits])
    share = np.exp(evidence - evidence.max())
    share /= share.sum()
    mean: Array = sum(
        (s * one.mean for s, one in zip(share, fits, strict=True)),
        np.zeros(len(signals) + 1),
    )
    covariance: Array = sum(
        (
            s * (one.covariance + np.outer(one.mean - mean, one.mean - mean))
            for s, one in zip(share, fits, strict=True)
        ),
        np.zeros((len(signals) + 1,) * 2),
    )
    return SignalFit(signals, mean, covariance)


class _Mode(NamedTuple):
    mean: Array
    covariance: Array
    evidence: float

    def likelier(self, by: float) -> "_Mode":
        """Return it with the logarithm of a prior probability added to the evidence."""
        return self._replace(evidence=self.evidence + by)


def _mode(prior: Array, precision: Array, rows: Array, reviews: Array, failed: Array) -> _Mode:
    """Return the mode of the posterior, the covariance there, and the log of the evidence.

    ``precision`` is that of each parameter before the reviews. Found by Fisher's scoring; base and
    weights come first, and those of the reviewers, if there are any, are integrated out.
    """
    kept, at = rows.shape[1], prior.copy()

    def worth(point: Array) -> float:
        """Return the log of the posterior, but for a constant."""
        said, _ = _said(point, rows)
        likelihood = failed @ np.log(said) + (reviews - failed) @ np.log(1 - said)
        return float(likelihood - precision @ (point - prior) ** 2 / 2)

    here = worth(at)
    for _ in range(_STEPS):
        said, slopes = _said(at, rows)
        chance = said * (1 - said)
        slope = slopes.T @ ((failed - reviews * said) / chance) - precision * (at - prior)
        curvature = (slopes * (reviews / chance)[:, None]).T @ slopes + np.diag(precision)
        step = np.clip(np.linalg.solve(curvature, slope), -2, 2)
        there = worth(at + step)
        while there < here and np.abs(step).sum() >= _NEAR:  # too far: where few fail, it may be
            step = step / 2
            there = worth(at + step)
        if np.abs(step).sum() < _NEAR:
            break
        at, here = at + step, there
    volume = float(np.log(precision).sum()) - _log_determinant(curvature)
    covariance = np.linalg.inv(curvature)[:kept, :kept]
    return _Mode(at[:kept], covariance, here + volume / 2)


def _said(at: Array, rows: Array) -> tuple[Array, Array]:
    """Return how often reviewers say fail of each row, and the slopes of that by each parameter."""
    kept = rows.shape[1]
    bad = np.clip(_logistic(rows @ at[:kept]), _NEAR, 1 - _NEAR)
    if len(at) == kept:
        return bad, rows * (bad * (1 - bad))[:, None]
    sensitivity, specificity = _logistic(at[kept:])
    said = bad * sensitivity + (1 - bad) * (1 - specificity)
    by_answer = rows * ((sensitivity + specificity - 1) * bad * (1 - bad))[:, None]
    by_sensitivity = bad * sensitivity * (1 - sensitivity)
    by_specificity = -(1 - bad) * specificity * (1 - specificity)
    slopes = np.column_stack([by_answer, by_sensitivity, by_specificity])
    return np.clip(said, _NEAR, 1 - _NEAR), slopes


def _design(patterns: Sequence[frozenset[str]], signals: Sequence[str]) -> Array:
    rows = [[1.0, *(float(name in pattern) for name in signals)] for pattern in patterns]
    return np.array(rows).reshape(len(patterns), len(signals) + 1)


def _logistic(x: Any) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -35, 35))))


def _log_determinant(matrix: Array) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def log_odds_spread(mean: float, strength: float) -> float:
    """Return the standard deviation of the log-odds of a Beta distribution (delta method)."""
    return 1 / math.sqrt(strength * mean * (1 - mean))
