"""What is believed of a policy's signals before any review, as the fit starts from it."""

from labels.calibration import prior_calibration
from labels.fit import Fit, Reviewers, Start, fit, spread_of
from labels.odds import log_odds
from labels.policy import Policy
from labels.readings import REVIEW_FAIL, REVIEW_READINGS


def learnable(policy: Policy) -> list[str]:
    """Return the signals whose weights reviews can teach, in the order of the fit."""
    return sorted(n for n in policy.signals if policy.reading_of(n) not in REVIEW_READINGS)


def start_of(policy: Policy) -> Start:
    """Return the priors of a policy."""
    weights, rate = prior_calibration(policy).weights(policy), policy.base_rate
    return Start(
        base=log_odds(rate.mean),
        spread=spread_of(rate.mean, rate.strength),
        weights={name: weights[name] for name in learnable(policy)},
        reviewers=_reviewers(policy),
    )


def before_reviews(policy: Policy) -> Fit:
    """Return what is believed of base and weights before any review."""
    return fit(start_of(policy), [])


def _reviewers(policy: Policy) -> Reviewers | None:
    """Return how far the policy believes its reviewers; None if it says nothing of it."""
    for name, rule in policy.signals.items():
        if policy.reading_of(name) == REVIEW_FAIL:
            fires, silent = rule.sensitivity, rule.specificity
            return Reviewers(
                log_odds(fires.mean),
                spread_of(fires.mean, fires.strength),
                log_odds(silent.mean),
                spread_of(silent.mean, silent.strength),
            )
    return None
