"""Fits all signals together, by logistic regression with the policy's weights as prior.

Among traces with the same signals, chance decides which one is reviewed, so reviews of uncertain
answers need no weights here. The log-odds of fail are a base plus the weight of each signal that
fires. The policy gives the prior expectation of the weights. They may all be wrong together (by a
factor, never a negative one: a signal that points the wrong way says nothing about the others) and
each on its own (by a deviation). Factor and deviation are not assumed: the fit averages over a grid
of both, by the marginal likelihood of the reviews (Laplace's approximation; D. MacKay, Bayesian
Interpolation, 1992). Where the policy's weights fit, few reviews suffice; where they do not, they
soon count for little.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from labels.calibration import prior_calibration
from labels.odds import logit
from labels.policy import LabelPolicy
from labels.readings import REVIEW_FAIL, REVIEW_READINGS

_Array = npt.NDArray[Any]

_DEVIATIONS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
_FACTORS: Final = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
_FACTOR_SPREAD: Final = 0.5
"""Standard deviation of the logarithm of the factor, before any review."""
_BASE_SPREAD: Final = 1.0
"""How far the failure rate of traces without signals may be from the overall one, in log-odds."""
_STEPS: Final = 100
_DRAWS: Final = 2_000
_TOLERANCE: Final = 1e-9


class PatternCount(NamedTuple):
    """How many reviewed traces had this pattern of signals, and how many of them failed."""

    pattern: frozenset[str]
    reviews: int
    failed: int


@dataclass(frozen=True, slots=True)
class FitPrior:
    """The beliefs before any review.

    ``weights`` are those of the policy, in log-odds of fail; ``base`` is the log-odds of its base
    rate, and ``spread`` their standard deviation. Without ``reviewers``, reviewers never err.
    """

    base: float
    spread: float
    weights: Mapping[str, float]
    reviewers: "ReviewerPrior | None" = None


class ReviewerPrior(NamedTuple):
    """How far reviewers are believed, in log-odds, each with its standard deviation.

    ``sensitivity``: how often they call a bad answer bad; ``specificity``: a good answer good.
    """

    sensitivity: float
    sensitivity_spread: float
    specificity: float
    specificity_spread: float


@dataclass(frozen=True, slots=True)
class SignalFit:
    """The beliefs after the reviews: means of base and weights, and their covariance."""

    signals: tuple[str, ...]
    mean: _Array
    covariance: _Array

    @property
    def base(self) -> float:
        """Return the log-odds of fail of a trace without signals."""
        return float(self.mean[0])

    @property
    def weights(self) -> Mapping[str, float]:
        """Return what each signal adds to the log-odds of fail."""
        return dict(zip(self.signals, self.mean[1:].tolist(), strict=True))

    def error(self, population: Mapping[frozenset[str], int]) -> tuple[float, float]:
        """Return the error of probabilities for lack of reviews, averaged over the population.

        The first number is its mean, the second its 95 % quantile, both from draws of the
        parameters with a fixed seed. Errors that the model cannot express are not included.
        """
        patterns = list(population)
        shares = np.array([population[pattern] for pattern in patterns], float)
        rows = _design(patterns, self.signals)
        rng = np.random.default_rng(0)
        drawn = rng.multivariate_normal(self.mean, self.covariance, _DRAWS, method="eigh")
        gaps = np.abs(_logistic(drawn @ rows.T) - _logistic(rows @ self.mean))
        errors = gaps @ (shares / shares.sum())
        return float(errors.mean()), float(np.quantile(errors, 0.95))


def fit_signals(prior: FitPrior, counts: Sequence[PatternCount]) -> SignalFit:
    """Return the fit to reviews, averaged over how far the policy's weights may be wrong."""
    signals = tuple(sorted(prior.weights))
    centre = np.array([prior.weights[name] for name in signals])
    rows = _design([count.pattern for count in counts], signals)
    reviews = np.array([count.reviews for count in counts], float)
    failed = np.array([count.failed for count in counts], float)
    base_variance = prior.spread**2 + _BASE_SPREAD**2
    judges = prior.reviewers
    centres = [judges.sensitivity, judges.specificity] if judges else []
    spreads = [judges.sensitivity_spread, judges.specificity_spread] if judges else []
    fits = [
        _mode(
            np.concatenate([[prior.base], factor * centre, centres]),
            1 / np.array([base_variance, *[deviation**2] * len(centre), *(s**2 for s in spreads)]),
            rows,
            reviews,
            failed,
        ).with_log_prior(-((math.log(factor) / _FACTOR_SPREAD) ** 2) / 2)
        for deviation, factor in product(_DEVIATIONS, _FACTORS)
    ]
    evidence = np.array([mode.evidence for mode in fits])
    share = np.exp(evidence - evidence.max())
    share /= share.sum()
    mean: _Array = sum(
        (s * mode.mean for s, mode in zip(share, fits, strict=True)),
        np.zeros(len(signals) + 1),
    )
    covariance: _Array = sum(
        (
            s * (mode.covariance + np.outer(mode.mean - mean, mode.mean - mean))
            for s, mode in zip(share, fits, strict=True)
        ),
        np.zeros((len(signals) + 1,) * 2),
    )
    return SignalFit(signals, mean, covariance)


class _Mode(NamedTuple):
    mean: _Array
    covariance: _Array
    evidence: float

    def with_log_prior(self, log_prior: float) -> "_Mode":
        """Return the mode with the logarithm of a prior probability added to the evidence."""
        return self._replace(evidence=self.evidence + log_prior)


def _mode(prior: _Array, precision: _Array, rows: _Array, reviews: _Array, failed: _Array) -> _Mode:
    """Return the mode of the posterior, the covariance there, and the log of the evidence.

    ``precision`` is that of each parameter before the reviews. Uses Fisher's scoring. The
    parameters are base and weights, then those of the reviewers, if any, which are integrated out.
    """
    size, at = rows.shape[1], prior.copy()

    def look(point: _Array) -> tuple[float, _Array, _Array]:
        """Return the log of the posterior, up to a constant, and the fails with their slopes."""
        fails, slopes = _fail_verdicts(point, rows)
        likelihood = failed @ np.log(fails) + (reviews - failed) @ np.log(1 - fails)
        return float(likelihood - precision @ (point - prior) ** 2 / 2), fails, slopes

    current, fails, slopes = look(at)
    for _ in range(_STEPS):
        variance = fails * (1 - fails)
        slope = slopes.T @ ((failed - reviews * fails) / variance) - precision * (at - prior)
        curvature = (slopes * (reviews / variance)[:, None]).T @ slopes + np.diag(precision)
        step = _between(np.linalg.solve(curvature, slope), -2, 2)
        following = look(at + step)
        # The step may be too long where few traces fail.
        while following[0] < current and np.abs(step).sum() >= _TOLERANCE:
            step = step / 2
            following = look(at + step)
        if np.abs(step).sum() < _TOLERANCE:
            break
        at, (current, fails, slopes) = at + step, following
    volume = float(np.log(precision).sum()) - _log_determinant(curvature)
    covariance = np.linalg.inv(curvature)[:size, :size]
    return _Mode(at[:size], covariance, current + volume / 2)


def _fail_verdicts(at: _Array, rows: _Array) -> tuple[_Array, _Array]:
    """Return how often reviewers say fail for each row, and its slope by each parameter."""
    size = rows.shape[1]
    bad = _between(_logistic(rows @ at[:size]), _TOLERANCE, 1 - _TOLERANCE)
    if len(at) == size:
        return bad, rows * (bad * (1 - bad))[:, None]
    sensitivity, specificity = _logistic(at[size:])
    fails = bad * sensitivity + (1 - bad) * (1 - specificity)
    by_answer = rows * ((sensitivity + specificity - 1) * bad * (1 - bad))[:, None]
    by_sensitivity = bad * sensitivity * (1 - sensitivity)
    by_specificity = -(1 - bad) * specificity * (1 - specificity)
    slopes = np.column_stack([by_answer, by_sensitivity, by_specificity])
    return _between(fails, _TOLERANCE, 1 - _TOLERANCE), slopes


def _design(patterns: Sequence[frozenset[str]], signals: Sequence[str]) -> _Array:
    rows = [[1.0, *(float(name in pattern) for name in signals)] for pattern in patterns]
    return np.array(rows).reshape(len(patterns), len(signals) + 1)


def _logistic(x: Any) -> _Array:
    return np.asarray(1 / (1 + np.exp(-_between(x, -35, 35))))


def _between(x: Any, low: float, high: float) -> _Array:
    # Of so few numbers `np.clip` takes twice as long.
    return np.asarray(np.minimum(np.maximum(x, low), high))


def _log_determinant(matrix: _Array) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def log_odds_spread(mean: float, strength: float) -> float:
    """Return the standard deviation of the log-odds of a Beta distribution (delta method)."""
    return 1 / math.sqrt(strength * mean * (1 - mean))


def learnable_signals(policy: LabelPolicy) -> list[str]:
    """Return the signals whose weights follow from reviews, in the order of the fit."""
    return sorted(name for name in policy.signals if policy.reading_of(name) not in REVIEW_READINGS)


def fit_prior_of(policy: LabelPolicy) -> FitPrior:
    """Return the prior of a policy."""
    weights, rate = prior_calibration(policy).weights(policy), policy.base_rate
    return FitPrior(
        base=logit(rate.mean),
        spread=log_odds_spread(rate.mean, rate.strength),
        weights={name: weights[name] for name in learnable_signals(policy)},
        reviewers=_reviewers(policy),
    )


def fit_without_reviews(policy: LabelPolicy) -> SignalFit:
    """Return the fit of base and weights before any review."""
    return fit_signals(fit_prior_of(policy), [])


def _reviewers(policy: LabelPolicy) -> ReviewerPrior | None:
    """Return how far the policy believes its reviewers; None if it does not say."""
    for name, rule in policy.signals.items():
        if policy.reading_of(name) == REVIEW_FAIL:
            fires, silent = rule.sensitivity, rule.specificity
            return ReviewerPrior(
                logit(fires.mean),
                log_odds_spread(fires.mean, fires.strength),
                logit(silent.mean),
                log_odds_spread(silent.mean, silent.strength),
            )
    return None
