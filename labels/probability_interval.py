"""How sure a probability of fail is: the interval that each label carries.

What is believed of the base and the weights has a covariance: after reviews that of their fit,
which the calibration keeps; before any, that of the policy's priors. The log-odds of a trace are a
sum of them, so their variance follows, and the interval is normal on the log-odds. Reviews of the
trace itself add the variance of their own weight. It is about the share of bad answers among traces
with these signals, not about the one answer, which is good or bad.
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from labels.calibration import Calibration
from labels.fit_prior import fit_without_reviews, learnable_signals
from labels.odds import expit
from labels.policy import LabelPolicy
from labels.readings import REVIEW_READINGS
from labels.rules import SignalRule

INTERVAL_CONFIDENCE: Final = 0.9
"""The truth lies within, for so many of the traces."""
_QUANTILE: Final = 1.6448536269514722
_DIGITS: Final = 6
_MOST_KEPT: Final = 4_096
"""Traces have few different sets of signals; an adversary's must not fill the memory."""


class ProbabilityInterval(NamedTuple):
    """Within which the probability of fail lies, with ``INTERVAL_CONFIDENCE``."""

    low: float
    high: float


class IntervalEstimator:
    """What is not known of base and weights, under one policy and one calibration."""

    def __init__(self, policy: LabelPolicy, calibration: Calibration) -> None:
        """Read the covariance; a calibration that was learnt without one says nothing of it."""
        self._place = {name: at for at, name in enumerate(learnable_signals(policy), 1)}
        self._covariance = _covariance(policy, calibration)
        self._of_reviews = {
            name: _variance(rule)
            for name, rule in policy.signals.items()
            if policy.reading_of(name) in REVIEW_READINGS
        }
        self._slope = calibration.slope
        self._kept: dict[tuple[tuple[str, float], ...], float] = {}

    def range(self, log_odds: float, shares: Mapping[str, float]) -> ProbabilityInterval | None:
        """Return the interval around ``log_odds``; None where nothing is known of it.

        ``shares`` says how much of the weight of each signal is in them: its number, less what the
        cap of its group cut.
        """
        if self._covariance is None:
            return None
        key = tuple(sorted(shares.items()))
        spread = self._kept.get(key)
        if spread is None:
            spread = self._slope * math.sqrt(self._spread(self._covariance, shares))
            if len(self._kept) < _MOST_KEPT:
                self._kept[key] = spread
        low, high = log_odds - _QUANTILE * spread, log_odds + _QUANTILE * spread
        return ProbabilityInterval(round(expit(low), _DIGITS), round(expit(high), _DIGITS))

    def _spread(self, covariance: npt.NDArray[np.float64], shares: Mapping[str, float]) -> float:
        row = np.zeros(len(covariance))
        row[0], reviews = 1.0, 0.0
        for name, share in shares.items():
            if name in self._place:
                row[self._place[name]] = share
            else:
                reviews += share**2 * self._of_reviews[name]
        return max(0.0, float(row @ covariance @ row)) + reviews


def _covariance(policy: LabelPolicy, calibration: Calibration) -> npt.NDArray[np.float64] | None:
    if calibration.covariance is not None:
        return np.array(calibration.covariance)
    return fit_without_reviews(policy).covariance if calibration.version == 0 else None


def _variance(rule: SignalRule) -> float:
    """Return the variance of the log-odds that a review adds (delta method)."""
    fires, silent = rule.sensitivity, rule.specificity
    return (1 - fires.mean) / (fires.mean * fires.strength) + silent.mean / (
        (1 - silent.mean) * silent.strength
    )
