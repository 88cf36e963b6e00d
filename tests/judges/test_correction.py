"""Estimates of what reviewers would say cover it, and a judge makes none of them worse."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.judge_correction import arena, local, measure, naive, reviews_alone, stratified
from judges.as_judged import judged_rate
from judges.correction.post_stratified import CorrectedRate, estimate_good_rate
from judges.correction.rogan_gladen import ElsewhereReview, rogan_gladen
from judges.correction.strata import merge_strata, probability_strata
from judges.correction.tuned import estimate_tuned_rate, tuned_rate_of_arrays
from judges.correction.units import JudgedUnit
from judges.outcome import JudgeAnswer, JudgeOutcome, judge_error
from judges.weighted_rows import WeightedRow


def estimate(units: Iterable[JudgedUnit], **options: Any) -> CorrectedRate:
    """Return the estimate of rows of which some are reviewed."""
    rate = estimate_good_rate(units, **options)
    assert rate is not None
    return rate


def world(
    seed: int,
    rows: int = 600,
    reviews: int = 100,
    good: float = 0.8,
    outcome_of: Callable[[np.random.Generator, bool], JudgeOutcome] | None = None,
) -> tuple[list[JudgedUnit], float]:
    """Return judged rows, some reviewed at random, and the true share of good ones among them."""
    rng = np.random.default_rng(seed)
    truth = rng.random(rows) < good
    drawn = set(rng.choice(rows, reviews, replace=False).tolist())
    units = [
        JudgedUnit(
            outcome_of(rng, bool(is_good)) if outcome_of else "pass",
            bool(is_good) if at in drawn else None,
            reviews / rows,
        )
        for at, is_good in enumerate(truth)
    ]
    return units, float(truth.mean())


def noisy(rng: np.random.Generator, is_good: bool) -> JudgeOutcome:
    """Return the outcome of a judge that is right in 80 %, and often has no verdict."""
    place = rng.random()
    if place < 0.12:
        return "unknown" if place < 0.1 else "error"
    return "pass" if (rng.random() < 0.8) == is_good else "fail"


@pytest.mark.parametrize("known", [*arena(), local()], ids=lambda known: known.name)
def test_intervals_cover_what_reviewers_say(known: Any) -> None:
    """On real verdicts: coverage, and no wider than without the judge; the naive one is blind.

    A short version of `python -m benchmarks.judge_correction`, which draws 1,000 times.
    """
    reviews = 40 if known.p_fail else 100
    both = [measure(known, 120, reviews, one, 1) for one in (stratified, reviews_alone)]
    assert both[0].coverage >= 0.89
    assert both[0].width <= 1.02 * both[1].width


def test_the_judge_at_its_word_is_often_wrong() -> None:
    """Its interval covers the truth on fewer than half of the sets of rows."""
    covered = [naive(known).coverage for known in arena()]
    assert sum(covered) / len(covered) < 0.5


def test_the_estimate_by_hand() -> None:
    """Shares of good reviewed rows in each stratum, times the strata's shares of judged rows."""
    reviewed: list[tuple[JudgeOutcome, bool, int]] = [
        ("pass", True, 18),
        ("pass", False, 2),
        ("fail", True, 3),
        ("fail", False, 7),
    ]
    units = [JudgedUnit(o, good, 0.1) for o, good, count in reviewed for _ in range(count)]
    units += [JudgedUnit("pass")] * 220 + [JudgedUnit("fail")] * 50
    rate = estimate(units)
    assert rate.estimate == pytest.approx(0.8 * 0.9 + 0.2 * 0.3)
    assert [(s.outcomes, s.reviews) for s in rate.strata] == [(("pass",), 20), (("fail",), 10)]
    assert [s.share for s in rate.strata] == pytest.approx([0.8, 0.2])
    # q = 19/22 and 4/12; q (1 - q) / (n + 1), times the squares of the shares and 1 - f.
    variance = 0.9 * (0.64 * (19 / 22) * (3 / 22) / 21 + 0.04 * (4 / 12) * (8 / 12) / 11)
    smoothed = 0.8 * 19 / 22 + 0.2 * 4 / 12
    assert rate.effective == pytest.approx(smoothed * (1 - smoothed) / variance - 1)
    assert rate.freedom == 28


@pytest.mark.parametrize("good", [0.5, 0.85, 0.97])
def test_abstaining_and_errors_move_nothing(good: float) -> None:
    """Rows without a verdict are strata of their own: the estimate stays on the truth."""
    errors, covered = [], 0
    for seed in range(150):
        units, truth = world(seed, good=good, outcome_of=noisy)
        rate = estimate(units)
        errors.append(rate.estimate - truth)
        covered += rate.low <= truth <= rate.high
    assert abs(float(np.mean(errors))) < 4 * float(np.std(errors)) / np.sqrt(150)
    assert covered >= 0.91 * 150


def test_a_perfect_judge_is_worth_many_reviews_and_a_useless_one_none() -> None:
    """The interval narrows with a good judge, and hardly widens with a bad one."""

    def right(_: np.random.Generator, is_good: bool) -> JudgeOutcome:
        return "pass" if is_good else "fail"

    def coin(rng: np.random.Generator, _: bool) -> JudgeOutcome:
        return "pass" if rng.random() < 0.5 else "fail"

    perfect, useless = (world(3, outcome_of=each)[0] for each in (right, coin))
    rate, alone = estimate(perfect), estimate(perfect, stratified=False)
    assert rate.high - rate.low < 0.4 * (alone.high - alone.low)
    assert rate.worth_in_reviews > 500
    rate, alone = estimate(useless), estimate(useless, stratified=False)
    assert rate.high - rate.low < 1.03 * (alone.high - alone.low)
    assert rate.worth_in_reviews < 115


def test_all_rows_reviewed_are_no_estimate_but_the_count() -> None:
    """Nothing is left to chance."""
    units, truth = world(1, rows=80, reviews=80, outcome_of=noisy)
    rate = estimate(units)
    assert rate.low == pytest.approx(truth) == rate.estimate == rate.high
    assert rate.to_json()["effective"] is None


def test_only_reviews_with_a_known_probability_correct() -> None:
    """Those of the uncertain queue, and labels, are in no estimate."""
    units, _ = world(5, outcome_of=noisy)
    queue = [unit._replace(reviewed_good=False, review_probability=None) for unit in units[:200]]
    kept = [unit._replace(reviewed_good=None) for unit in units[:200]]
    assert estimate([*queue, *units[200:]]) == estimate([*kept, *units[200:]])
    assert estimate_good_rate([unit._replace(reviewed_good=None) for unit in units]) is None
    one = [units[0]._replace(reviewed_good=True), *kept[1:]]
    assert estimate_good_rate(one) is None


def test_rows_that_a_judge_does_not_apply_to_are_left_out() -> None:
    """However many there are."""
    units, _ = world(5, outcome_of=noisy)
    others = [JudgedUnit("not_applicable", reviewed_good=False, review_probability=0.5)] * 300
    assert estimate([*others, *units]) == estimate(units)


def test_weights_stand_for_production() -> None:
    """Failed calls are drawn and reviewed ten times as often, and count a tenth as much."""
    covered, naive_covered = 0, 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        bad = rng.random(4_000) < 0.1
        good = np.where(bad, rng.random(4_000) < 0.2, rng.random(4_000) < 0.9)
        truth = float(good.mean())
        chance = np.where(bad, 0.5, 0.05)
        judged = rng.random(4_000) < chance
        reviewed = judged & (rng.random(4_000) < 0.4)
        units = [
            JudgedUnit(
                noisy(rng, bool(good[at])),
                bool(good[at]) if reviewed[at] else None,
                float(chance[at]) * 0.4,
                float(chance[at]),
            )
            for at in np.flatnonzero(judged).tolist()
        ]
        rate = estimate(units)
        covered += rate.low <= truth <= rate.high
        flat = estimate([unit._replace(probability=1, review_probability=0.4) for unit in units])
        naive_covered += flat.low <= truth <= flat.high
    assert covered >= 0.9 * 80
    assert naive_covered < 0.25 * 80


def test_clusters_widen_the_interval() -> None:
    """Rows of one conversation say the same: four of them are not four reviews."""
    covered, effects = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        good = np.repeat(rng.random(200) < 0.7, 4)
        drawn = np.repeat(rng.random(200) < 0.2, 4)
        units = [
            JudgedUnit(
                noisy(rng, bool(is_good)),
                bool(is_good) if is_drawn else None,
                1e-6,
                1e-6,
                cluster=f"conversation {at // 4}",
            )
            for at, (is_good, is_drawn) in enumerate(zip(good, drawn, strict=True))
        ]
        rate = estimate(units)
        covered += rate.low <= 0.7 <= rate.high
        effects.append(rate.design_effect)
        alone = estimate([unit._replace(cluster=None) for unit in units])
        assert rate.high - rate.low > alone.high - alone.low
    assert covered >= 91
    assert 2.2 < float(np.mean(effects)) < 4.5


def test_reviewers_who_all_agree_leave_an_interval() -> None:
    """Nobody saw a bad answer, and that is no proof that there is none."""
    units, _ = world(2, reviews=40, good=1.0, outcome_of=noisy)
    rate = estimate(units)
    assert rate.estimate == pytest.approx(1)
    assert 0.85 < rate.low < 0.95


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["pass", "fail", "unknown", "error"]), st.integers(0, 30)))
def test_the_rule_that_merges_strata_is_fixed(reviews: dict[str, int]) -> None:
    """All values are in one stratum each; none of several strata has fewer than five reviews."""
    strata = merge_strata(reviews)
    assert sorted(name for stratum in strata for name in stratum) == sorted(reviews)
    assert strata == merge_strata(dict(reversed(reviews.items())))
    if len(strata) > 1:
        assert min(sum(reviews[name] for name in stratum) for stratum in strata) >= 5


def test_neighbours_are_merged_by_size() -> None:
    """The smallest one first, with the neighbour that has fewer reviews."""
    assert merge_strata({"pass": 40, "unknown": 2, "error": 1, "fail": 9}) == [
        ("pass",),
        ("unknown", "error", "fail"),
    ]
    assert merge_strata({"pass": 3, "fail": 1}) == [("pass", "fail")]
    assert merge_strata({"b": 9, "a": 9}) == [("a",), ("b",)]


def test_bins_of_probability_can_be_the_strata() -> None:
    """Cut at quantiles of all judged rows; errors keep their outcome."""
    strata = probability_strata([n / 100 for n in range(100)] + [None])
    assert [strata.count(f"p_fail {n}") for n in range(5)] == [20] * 5
    assert strata[-1] is None
    units = [
        JudgedUnit("pass", n % 7 != 0, 0.5, p_fail=n / 100, stratum=stratum)
        for n, stratum in enumerate(strata)
    ]
    assert len(estimate(units).strata) == 5


def test_probabilities_tune_the_estimate() -> None:
    """A judge whose probabilities say much narrows the interval, another one is left out."""
    covered, widths, worth = 0, [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        p_fail = rng.beta(0.5, 1, 800)
        good = rng.random(800) >= p_fail
        drawn = rng.random(800) < 0.15
        told = np.where(rng.random(800) < 0.03, np.nan, p_fail)
        units = [
            JudgedUnit(
                "error" if np.isnan(p) else "unknown",
                bool(good[at]) if drawn[at] else None,
                0.15,
                p_fail=None if np.isnan(p) else float(p),
            )
            for at, p in enumerate(told)
        ]
        rate = estimate_tuned_rate(units)
        assert rate is not None
        covered += rate.low <= good.mean() <= rate.high
        alone = estimate(units, stratified=False)
        widths.append((rate.high - rate.low) / (alone.high - alone.low))
        assert rate.to_json()["tuning"] > 0.5
        worth.append(rate.worth_in_reviews / rate.reviews)
    assert covered >= 0.91 * 150
    assert float(np.mean(widths)) < 0.85
    assert float(np.mean(worth)) > 1.4
    shuffled = rng.permutation(p_fail).tolist()
    useless = [u._replace(p_fail=p) for u, p in zip(units, shuffled, strict=True)]
    rate = estimate_tuned_rate(useless)
    assert rate is not None
    assert rate.tuning < 0.3
    assert estimate_tuned_rate([unit._replace(p_fail=None) for unit in units]) is None


def test_the_local_judge_is_tuned_out_of_fold() -> None:
    """Its probabilities cover the truth too."""
    figures = measure(local(), 120, 40, tuned_rate_of_arrays, 1)
    assert figures.coverage >= 0.89


def test_labels_from_elsewhere_have_an_estimate_of_their_own() -> None:
    """Rogan and Gladen: right where its assumption is, and far wider than reviews of these rows."""
    elsewhere = [
        *([ElsewhereReview(passed=True, good=True)] * 800),
        *([ElsewhereReview(passed=False, good=True)] * 200),
        *([ElsewhereReview(passed=True, good=False)] * 300),
        *([ElsewhereReview(passed=False, good=False)] * 700),
    ]
    rate = rogan_gladen(0.6 * 0.8 * 1000 + 0.4 * 0.3 * 1000, 1_000, elsewhere)
    assert rate is not None
    assert rate.estimate == pytest.approx(0.6, abs=0.01)
    assert rate.low < 0.55
    assert rate.high > 0.65
    assert rogan_gladen(5, 10, elsewhere[:900]) is None
    coin = [ElsewhereReview(passed=n % 2 == 0, good=n % 4 < 2) for n in range(40)]
    assert rogan_gladen(5, 10, coin) is None


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.5, float("nan")])
def test_a_probability_that_is_none_is_refused(probability: float) -> None:
    """A weight would be without limit, or below one."""
    with pytest.raises(ValueError, match="probability of a draw"):
        estimate_good_rate([JudgedUnit("pass", reviewed_good=True, review_probability=probability)])
    with pytest.raises(ValueError, match="probability of a draw"):
        judged_rate([(JudgeAnswer("pass"), WeightedRow(probability))])


def test_as_judged_shows_what_the_rest_allows() -> None:
    """Pass among pass and fail, weighted; unknown and error are a range; counts add up."""
    rows = [
        (JudgeAnswer("pass"), WeightedRow(0.5)),
        (JudgeAnswer("pass"), WeightedRow(0.5)),
        (JudgeAnswer("fail"), WeightedRow(1.0)),
        (JudgeAnswer("unknown"), WeightedRow(1.0)),
        (judge_error("timeout"), WeightedRow(0.5)),
        (JudgeAnswer("not_applicable"), WeightedRow(0.01)),
    ]
    rate = judged_rate(rows)
    assert rate.estimate == pytest.approx(4 / 5)
    assert [rate.least, rate.most] == pytest.approx([4 / 8, 7 / 8])
    assert rate.counts.drawn == rate.to_json()["outcomes"]["drawn"] == 6
    nothing = judged_rate([(JudgeAnswer("not_applicable"), WeightedRow())])
    assert (nothing.estimate, nothing.least, nothing.counts.drawn) == (None, None, 1)


def test_the_interval_as_judged_knows_clusters() -> None:
    """Four rows of each conversation that always agree are one row."""
    answers = [JudgeAnswer("pass" if at % 3 else "fail") for at in range(60)]
    rows = [(answer, WeightedRow()) for answer in answers]
    fourfold = [
        (answer, WeightedRow(cluster=f"conversation {at}"))
        for at, answer in enumerate(answers)
        for _ in range(4)
    ]
    one, four = judged_rate(rows), judged_rate(fourfold)
    assert four.estimate == one.estimate
    assert four.low == pytest.approx(one.low, abs=0.01)
    assert four.effective == pytest.approx(59, abs=1)
