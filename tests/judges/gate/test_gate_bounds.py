"""Bounds of a gate: they agree with the tests that decide, and widen where they should."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from judges.gate.bounds import OneSidedBounds, rows_missing
from judges.gate.paired_bounds import PairedBounds, paired_bounds
from judges.gate.quantile_bounds import QuantileBounds
from judges.gate.share_bounds import share_bounds
from judges.gate.total_bounds import mean_bounds, ratio_bounds
from judges.weighted_rows import RowArrays
from labels.binomial_interval import clopper_pearson

ROWS = 240


def row_weights(rows: int = ROWS, each: int = 1) -> RowArrays:
    """Return equal weights, with so many rows in each cluster."""
    return RowArrays(np.ones(rows), (np.arange(rows) // each).astype(np.int64))


def found(bounds: OneSidedBounds | None) -> OneSidedBounds:
    """Return bounds that are there."""
    assert bounds is not None
    return bounds


def drawn(seed: int, each: int = 1) -> dict[str, OneSidedBounds]:
    """Return one of each kind of bounds, on random rows."""
    rng, rows = np.random.default_rng(seed), row_weights(each=each)
    good = (rng.random(ROWS) < 0.85).astype(float)
    costs = rng.lognormal(-3, 0.6, ROWS)
    return {
        "share": found(share_bounds(rows, good)),
        "pairs": found(paired_bounds(rows, rng.choice([-1.0, 0, 0, 0, 0, 0, 1], ROWS))),
        "ratio": found(ratio_bounds(rows, costs, good)),
        "mean": found(mean_bounds(rows, costs - 0.05)),
        "quantile": QuantileBounds(rng.lognormal(7, 0.4, ROWS), rows, 0.9),
    }


@pytest.mark.parametrize("kind", ["share", "pairs", "ratio", "mean", "quantile"])
@pytest.mark.parametrize("each", [1, 3])
def test_a_bound_is_where_its_test_turns(kind: str, each: int) -> None:
    """Just inside the bounds nothing is sure, and just outside it is; both hold the estimate."""
    for seed in range(4):
        bounds = drawn(seed, each)[kind]
        low, high = bounds.lower(0.05), bounds.upper(0.05)
        step = 1e-6 * (high - low)
        assert low <= bounds.estimate <= high
        assert bounds.is_above(low - step, 0.05)
        assert bounds.is_below(high + step, 0.05)
        assert not bounds.is_above(low + step, 0.05)
        assert not bounds.is_below(high - step, 0.05)
        assert bounds.lower(0.01) <= low
        assert bounds.upper(0.01) >= high


@pytest.mark.parametrize("kind", ["share", "pairs", "ratio", "mean", "quantile"])
def test_more_rows_find_smaller_differences(kind: str) -> None:
    """The margin falls about as the root of the rows, and tells how many are missing."""
    bounds = drawn(1)[kind]
    bar = bounds.estimate
    for margin in (bounds.margin_above, bounds.margin_below):
        one, four = margin(bar, 0.05, 1.0), margin(bar, 0.05, 4.0)
        assert 0 < four < one
        assert four == pytest.approx(one / 2, rel=0.35)
        on_rows = partial(margin, bar, 0.05)
        missing = rows_missing(bounds.rows, one / 2, on_rows)
        assert missing is not None
        assert missing == pytest.approx(3 * bounds.rows, rel=0.7)
        assert rows_missing(bounds.rows, one, on_rows) == 0
    assert rows_missing(bounds.rows, 0.0, lambda growth: growth) is None


def test_equal_values_need_more_rows_and_not_none() -> None:
    """With one value in all rows the margin falls from no limit to nothing at once."""
    rows = RowArrays(np.ones(40), np.arange(40))
    bounds = QuantileBounds(np.full(40, 800.0), rows, 0.95)
    missing = rows_missing(40, 100.0, partial(bounds.margin_below, 900.0, 0.0167))
    assert missing is not None
    assert 40 <= missing <= 160


def test_a_share_without_clusters_has_the_exact_limits() -> None:
    """Those of Clopper and Pearson: 205 of 240."""
    bounds = found(share_bounds(row_weights(), (np.arange(ROWS) < 205).astype(float)))
    low, high = clopper_pearson(205, ROWS, 0.9)
    assert bounds.lower(0.05) == pytest.approx(low, abs=1e-9)
    assert bounds.upper(0.05) == pytest.approx(high, abs=1e-9)


def test_rows_that_say_the_same_are_as_one() -> None:
    """Four copies of each row in one cluster have nearly the bounds of one row each."""
    good = np.random.default_rng(2).random(60) < 0.8
    alone = found(share_bounds(row_weights(60), good.astype(float)))
    copies = found(share_bounds(row_weights(240, 4), np.repeat(good, 4).astype(float)))
    assert copies.lower(0.05) == pytest.approx(alone.lower(0.05), abs=0.02)
    change = np.where(good, 0.0, -1.0)
    one = found(paired_bounds(row_weights(60), change))
    four = found(paired_bounds(row_weights(240, 4), np.repeat(change, 4)))
    assert four.lower(0.05) == pytest.approx(one.lower(0.05), abs=0.02)


def test_no_change_in_few_rows_proves_little() -> None:
    """Without any changed row the bound is z² / (n + z²): the variance is that of the bar."""
    for rows in (50, 200, 1_000):
        bounds = found(paired_bounds(row_weights(rows), np.zeros(rows)))
        assert bounds.lower(0.05) == pytest.approx(-2.7055 / (rows + 2.7055), abs=1e-4)
        assert not bounds.is_above(0.0, 0.05)
        assert not bounds.is_below(0.0, 0.05)


def test_the_score_of_pairs_by_hand() -> None:
    """Tango 1998: with a tested difference of 0, it is that of McNemar, (b - c) / sqrt(b + c)."""
    bounds = PairedBounds(25 / 100, 10 / 100, 100, 100, None, 25, 10)
    score = (25 - 10) / (25 + 10) ** 0.5  # 2.535: one-sided p = 0.0056
    assert score == pytest.approx(2.5355, abs=1e-4)
    assert bounds.is_above(0.0, 0.00565)
    assert not bounds.is_above(0.0, 0.00555)


def test_skewed_costs_are_trusted_less_downwards() -> None:
    """A heavy tail that was hardly seen may still be there: the upper bound is further away."""
    rng = np.random.default_rng(5)
    bounds = found(ratio_bounds(row_weights(), rng.lognormal(-3, 1, ROWS), np.ones(ROWS)))
    assert bounds.upper(0.05) - bounds.estimate > 1.1 * (bounds.estimate - bounds.lower(0.05))


@pytest.mark.parametrize(
    "make",
    [
        lambda: share_bounds(row_weights(0), np.zeros(0)),
        lambda: paired_bounds(row_weights(0), np.zeros(0)),
        lambda: mean_bounds(row_weights(0), np.zeros(0)),
        lambda: ratio_bounds(row_weights(5), np.ones(5), np.zeros(5)),
    ],
)
def test_without_rows_or_successes_there_are_none(make: Callable[[], object]) -> None:
    """Nothing is estimated from nothing."""
    assert make() is None


def test_two_rows_set_no_bound_of_a_mean() -> None:
    """And one cluster sets none either, however many rows it has."""
    bounds = found(ratio_bounds(row_weights(9, 9), np.ones(9), np.ones(9)))
    assert (bounds.lower(0.05), bounds.upper(0.05)) == (0.0, np.inf)
    assert not bounds.is_below(100.0, 0.05)
