"""Converts between probabilities and log-odds, in which evidence adds up."""

import math


def logit(p: float) -> float:
    """Return the log-odds of a probability, finite for 0 and 1 too."""
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


def expit(log_odds: float) -> float:
    """Return the probability for log-odds, without overflow."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
