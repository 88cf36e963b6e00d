"""The fit of all signals together: near the policy with few reviews, near the truth with many."""

import math
import random

import pytest

from labels.diagnostics import JudgedPrediction, calibration_error, calibration_error_by_chance
from labels.fit import FitPrior, PatternCount, SignalFit, fit_signals

TRUTH = {"": 0.35, "a": 0.85, "b": 0.7, "a b": 0.95}
SHARE = {"": 0.7, "a": 0.15, "b": 0.1, "a b": 0.05}
POPULATION = {frozenset(name.split()): int(1000 * share) for name, share in SHARE.items()}
WRONG = FitPrior(base=-2.0, spread=0.7, weights={"a": 0.5, "b": 4.0, "never": 2.0})


def reviewed(count: int, seed: int = 0) -> list[PatternCount]:
    """Review so many traces of a known truth."""
    rng = random.Random(seed)  # noqa: S311
    made = []
    for name, share in SHARE.items():
        n = max(1, round(count * share))
        failed = sum(rng.random() < TRUTH[name] for _ in range(n))
        made.append(PatternCount(frozenset(name.split()), n, failed))
    return made


def off(count: int) -> float:
    """Return how far a fit to so many reviews is from the truth."""
    return distance(fit_signals(WRONG, reviewed(count)))


def distance(found: SignalFit) -> float:
    """Return how far a fit is from the truth, on the average over all traces."""
    gaps = 0.0
    for name, share in SHARE.items():
        odds = found.base + sum(found.weights[signal] for signal in name.split())
        gaps += share * abs(1 / (1 + math.exp(-odds)) - TRUTH[name])
    return gaps


def test_many_reviews_overrule_a_policy_that_is_wrong() -> None:
    """However far its weights are off, each by itself."""
    assert off(40_000) < 0.01 < off(20)


def test_without_reviews_the_policy_is_all_there_is() -> None:
    """The weights keep their proportions, whatever factor may be wrong with all of them."""
    found = fit_signals(WRONG, [])
    assert found.base == pytest.approx(-2.0)
    factors = {found.weights[name] / weight for name, weight in WRONG.weights.items()}
    assert max(factors) == pytest.approx(min(factors))
    assert 0.8 < min(factors) < 1.3


def test_a_signal_that_points_the_wrong_way_says_nothing_of_the_others() -> None:
    """It is found out, and a signal that no review has seen still points where the policy says."""
    seen = [PatternCount(frozenset(), 50, 45), PatternCount(frozenset({"b"}), 50, 5)]
    found = fit_signals(WRONG, seen)
    assert found.weights["b"] < 0 < found.weights["never"]


def test_the_error_to_expect_is_the_error_there_is() -> None:
    """It falls with the reviews, and its bound holds in nearly all of many samples."""
    few, some, many = (
        fit_signals(WRONG, reviewed(count)).error(POPULATION) for count in (50, 200, 3200)
    )
    assert few[0] > some[0] > 2 * many[0]
    fits = [fit_signals(WRONG, reviewed(400, seed)) for seed in range(40)]
    kept = sum(distance(one) <= one.error(POPULATION)[1] for one in fits)
    assert kept >= 34


def test_perfect_probabilities_show_an_error_by_chance_and_none_without_it() -> None:
    """A small sample of them looks miscalibrated; how much is known, and can be taken off."""
    rng = random.Random(1)  # noqa: S311
    shown, told, left = [], [], []
    for _ in range(60):
        said = [rng.choice((0.15, 0.45, 0.85)) for _ in range(150)]
        judged = [JudgedPrediction(p, rng.random() < p) for p in said]
        shown.append(calibration_error(judged))
        told.append(calibration_error_by_chance(judged))
        left.append(calibration_error(judged, debiased=True))
    mean = sum(shown) / 60
    assert mean == pytest.approx(sum(told) / 60, rel=0.15)
    assert sum(left) / 60 < 0.7 * mean
    wrong = [JudgedPrediction(0.2, failed=True)] * 50
    assert calibration_error(wrong, debiased=True) == pytest.approx(0.8, abs=0.01)
