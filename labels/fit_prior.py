"""The prior of the fit: what a policy says about its signals before any review."""

from labels.calibration import prior_calibration
from labels.fit import FitPrior, ReviewerPrior, SignalFit, fit_signals, log_odds_spread
from labels.odds import logit
from labels.policy import LabelPolicy
from labels.readings import REVIEW_FAIL, REVIEW_READINGS


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
