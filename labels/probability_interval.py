"""The interval around the probability of fail that each label carries.

Base and weights have a covariance: after reviews that of their fit, stored in the calibration;
before any, that of the policy's priors. The log-odds of a trace are a sum of them, so the variance
follows, and the interval is normal on the log-odds. Reviews of the trace itself add the variance of
their own weight. The interval is about the share of bad answers among traces with these signals,
not about the single answer, which is either good or bad.
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from labels.calibration import Calibration
from labels.fit import fit_without_reviews, learnable_signals
from labels.odds import expit
from labels.policy import LabelPolicy
from labels.readings import REVIEW_READINGS
from labels.rules import SignalRule

INTERVAL_CONFIDENCE: Final = 0.9
"""The share of traces for which the interval contains the true probability."""
_QUANTILE: Final = 1.6448536269514722
_DIGITS: Final = 6
_MAX_CACHED: Final = 4_096
"""Traces have few different sets of signals; an adversary's must not fill the memory."""


class ProbabilityInterval(NamedTuple):
    """The interval that contains the probability of fail, with ``INTERVAL_CONFIDENCE``."""

    low: float
    high: float


class IntervalEstimator:
    """Estimates intervals under one policy and one calibration."""

    def __init__(self, policy: LabelPolicy, calibration: Calibration) -> None:
        """Read the covariance; without one in a learnt calibration there are no intervals."""
        self._columns = {name: at for at, name in enumerate(learnable_signals(policy), 1)}
        self._covariance = _covariance(policy, calibration)
        self._review_variances = {
            name: _review_variance(rule)
            for name, rule in policy.signals.items()
            if policy.reading_of(name) in REVIEW_READINGS
        }
        self._slope = calibration.slope
        self._cached: dict[tuple[tuple[str, float], ...], float] = {}

    def estimate(self, log_odds: float, shares: Mapping[str, float]) -> ProbabilityInterval | None:
        """Return the interval around ``log_odds``; None without a covariance.

        ``shares``: for each signal, how many times its weight is in ``log_odds``, less what the cap
        of its group cut.
        """
        if self._covariance is None:
            return None
        key = tuple(sorted(shares.items()))
        spread = self._cached.get(key)
        if spread is None:
            spread = self._slope * math.sqrt(self._variance(self._covariance, shares))
            if len(self._cached) < _MAX_CACHED:
                self._cached[key] = spread
        low, high = log_odds - _QUANTILE * spread, log_odds + _QUANTILE * spread
        return ProbabilityInterval(round(expit(low), _DIGITS), round(expit(high), _DIGITS))

    def _variance(self, covariance: npt.NDArray[np.float64], shares: Mapping[str, float]) -> float:
        row = np.zeros(len(covariance))
        row[0], of_reviews = 1.0, 0.0
        for name, share in shares.items():
            if name in self._columns:
                row[self._columns[name]] = share
            else:
                of_reviews += share**2 * self._review_variances[name]
        return max(0.0, float(row @ covariance @ row)) + of_reviews


def _covariance(policy: LabelPolicy, calibration: Calibration) -> npt.NDArray[np.float64] | None:
    if calibration.covariance is not None:
        return np.array(calibration.covariance)
    return fit_without_reviews(policy).covariance if calibration.version == 0 else None


def _review_variance(rule: SignalRule) -> float:
    """Return the variance of the log-odds that a review adds (delta method)."""
    fires, silent = rule.sensitivity, rule.specificity
    return (1 - fires.mean) / (fires.mean * fires.strength) + silent.mean / (
        (1 - silent.mean) * silent.strength
    )
