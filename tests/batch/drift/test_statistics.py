"""The test of drift: it does not cry wolf, and it sees what it says it sees."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.drift.statistics import (
    ComparedCounts,
    Counts,
    adjust_holm,
    f_survival,
    jensen_shannon_distance,
    kolmogorov_distance,
    run_f_test,
)
from tests.short_versions import short

MIXES = {
    "status": (0.98, 0.02),
    "app": (0.5, 0.3, 0.15, 0.05),
    "error_type": (0.98, 0.01, 0.006, 0.003, 0.001),
    "model": (0.7, 0.3),
    "finish": (0.9, 0.06, 0.04),
    "findings": (0.8, 0.1, 0.05, 0.04, 0.01),
    "latency": (0.1,) * 10,
    "tokens": (0.1,) * 10,
    "label": (0.85, 0.1, 0.03, 0.02),
    "quarantine": (0.999, 0.001),
}
"""What a quiet production is made of: ten features."""

ALPHA = 0.01


def days(rng: np.random.Generator, shares: np.ndarray, count: int, traces: int) -> Counts:
    """Days of a week that has a shape: conversations of eight traces that share a value, whose mix
    varies by the day, and weekends of half the traffic with another mix."""
    rows, monday = [], int(rng.integers(7))
    for day in range(monday, monday + count):
        weekend = day % 7 >= 5
        tilt = np.linspace(1.3, 0.7, len(shares)) if weekend else np.ones(len(shares))
        mix = rng.dirichlet(shares * tilt / (shares * tilt).sum() * 2000 + 1e-9)
        conversations = traces // (16 if weekend else 8)
        rows.append(rng.multinomial(conversations, mix) * 8)
    return np.array(rows, dtype=np.float64)


def found(
    rng: np.random.Generator, window_days: int, changed: dict[str, tuple[float, ...]]
) -> set[str]:
    """The features that are found to have drifted in one simulated comparison."""
    tests = []
    for name, mix in MIXES.items():
        quiet = days(rng, np.array(mix), 28 + window_days, 20_000)
        window = quiet[28:]
        if name in changed:
            window = days(rng, np.array(changed[name]), window_days, 20_000)
        tests.append(run_f_test(ComparedCounts(quiet[:28], window)).p)
    return {name for name, p in zip(MIXES, adjust_holm(tests), strict=True) if p < ALPHA}


@pytest.mark.parametrize(
    ("window_days", "count"), short([(1, 80), (7, 80), (1, 300), (7, 300)], [(1, 80), (7, 80)])
)
def test_it_does_not_cry_wolf(window_days: int, count: int) -> None:
    """Of comparisons in which nothing has changed, no more alarm than alpha and chance allow.

    With ten features at once, conversations, days that differ and weekends.
    """
    rng = np.random.default_rng(window_days)
    alarms = sum(bool(found(rng, window_days, {})) for _ in range(count))
    assert alarms <= count * ALPHA + 3 * math.sqrt(count * ALPHA)


def test_a_test_that_takes_traces_for_independent_does() -> None:
    """The same quiet days: without their dispersion, most comparisons would be an alarm."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(50):
        quiet = days(rng, np.array(MIXES["app"]), 29, 20_000)
        of_one = ComparedCounts(quiet[:28].sum(axis=0, keepdims=True), quiet[28:], weighed=True)
        assert run_f_test(of_one).p == 1.0  # one day on each side tells nothing of days
        rows = np.vstack([quiet[:28].sum(axis=0), quiet[28]])
        expected = np.outer(rows.sum(axis=1), rows.sum(axis=0)) / rows.sum()
        alarms += ((rows - expected) ** 2 / expected).sum() > 16.27  # 0.001 of chi-square(3)
    assert alarms > 25


@pytest.mark.parametrize(
    ("window_days", "name", "mix"),
    [
        (1, "status", (0.9, 0.1)),  # errors from 2 % to 10 %, seen after a day
        (7, "status", (0.96, 0.04)),  # from 2 % to 4 %, after a week
        (7, "model", (0.6, 0.4)),  # a tenth of the traffic goes to another model
        (7, "label", (0.82, 0.13, 0.03, 0.02)),  # failures from 10 % to 13 %
    ],
)
def test_it_sees_a_change(window_days: int, name: str, mix: tuple[float, ...]) -> None:
    """Nine times out of ten or more, and names it, among ten features that are looked at."""
    rng = np.random.default_rng(7)
    seen = sum(name in found(rng, window_days, {name: mix}) for _ in range(20))
    assert seen >= 18


def test_a_weighed_reference_counts_for_as_much_as_it_is_worth() -> None:
    """The same shares, known from 50 rows or from 5000: only the latter shows the difference."""
    rng = np.random.default_rng(3)
    window = days(rng, np.array((0.9, 0.1)), 7, 20_000)
    few = run_f_test(ComparedCounts(np.array([[49.0, 1.0]]), window, weighed=True))
    many = run_f_test(ComparedCounts(np.array([[4900.0, 100.0]]), window, weighed=True))
    assert few.p > 0.05
    assert many.p < 0.001


shares = st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda v: sum(v) > 0.1)


@given(shares, st.randoms())
def test_distances_are_distances(values: list[float], random: object) -> None:
    """Between 0 and 1, 0 from itself, the same both ways, 1 from what it has nothing in common."""
    del random
    p = np.array(values) / sum(values)
    q = p[::-1]
    for distance in (jensen_shannon_distance, kolmogorov_distance):
        assert distance(p, p) == pytest.approx(0, abs=1e-7)
        assert distance(p, q) == pytest.approx(distance(q, p))
        assert 0 <= distance(p, q) <= 1 + 1e-12
    apart = np.concatenate([p, np.zeros(len(p))]), np.concatenate([np.zeros(len(p)), p])
    assert jensen_shannon_distance(*apart) == pytest.approx(1)
    assert kolmogorov_distance(*apart) == pytest.approx(1)


def test_a_shift_of_numbers_is_its_share() -> None:
    """Where a tenth of the values moves up, Kolmogorov's distance is a tenth."""
    assert kolmogorov_distance(
        np.array([0.5, 0.5, 0.0]), np.array([0.4, 0.5, 0.1])
    ) == pytest.approx(0.1)


def test_the_f_distribution_is_that_of_the_books() -> None:
    """Critical values from tables of the F distribution (5 % and 1 %)."""
    for f, first, second, p in ((4.965, 1, 10, 0.05), (2.711, 5, 20, 0.05), (4.103, 5, 20, 0.01)):
        assert f_survival(f, first, second) == pytest.approx(p, rel=2e-3)


def test_many_tests_are_as_careful_as_one() -> None:
    """Holm's own steps: the smallest counts for all, the next for one less, never in disorder."""
    assert adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_holm([]) == []


def test_what_is_rare_is_tested_together() -> None:
    """A hundred values seen once each are one value for the test, and no difference."""
    reference = np.ones((20, 100)) * np.eye(100)[:20] + np.array([100.0] + [0.0] * 99)
    window = np.zeros((3, 100))
    window[:, 0] = 100
    window[np.arange(3), 50 + np.arange(3)] = 1
    assert run_f_test(ComparedCounts(reference, window)).p > 0.5
