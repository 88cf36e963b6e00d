"""Labels against probabilities that are known: before any review, after some, and their intervals.

The whole of it, ten seeds: ``python -m benchmarks.calibration``.
"""

import statistics

import pytest

from benchmarks.calibration import BAD, run, scores
from labels.calibration import prior_calibration
from labels.calibration_learning import ReviewedTrace, learn_calibration, predict_failure
from labels.policy import PRESETS, load_label_policy
from labels.scorer import LabelScorer
from schemas.errors import UsageError
from tests.labels import known_truth as kt

NOTHING = frozenset[str]()


@pytest.mark.parametrize("world", kt.WORLDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_labels_are_no_worse_than_signals_at_their_word(preset: str, world: str) -> None:
    """Before any review, on traces with a signal, at 10, 30 and 50 % bad answers."""
    for bad in BAD:
        ours, word = scores(load_label_policy(preset), world, bad, 1)
        assert ours <= word


def test_the_first_version_of_a_preset_was_worse() -> None:
    """At half bad answers; so the measure can tell."""
    for preset in ("chat_support@1", "rag@1"):
        ours, word = scores(load_label_policy(preset), "few", 0.5, 1)
        assert ours > word


def test_reviews_by_people_who_err_make_probabilities_right() -> None:
    """200 of them: the error of all other traces falls, and intervals hold what is true."""
    policy = load_label_policy("agent")
    runs = [run(policy, world, 0.3, 200, seed) for world in ("few", "noisy") for seed in range(2)]
    assert statistics.mean(one.after for one in runs) < 0.06
    assert all(one.after < one.before for one in runs)
    assert statistics.mean(one.covered for one in runs) > 0.8
    assert statistics.mean(one.width for one in runs) < 0.3


def test_one_audited_review_begins_a_calibration() -> None:
    """It moves the base rate a little, and takes a little from what is not known."""
    policy = load_label_policy("agent")
    before = LabelScorer(policy)
    for failed in (True, False):
        one = [ReviewedTrace("t", failed, NOTHING, 0.02)]
        after = LabelScorer(policy, learn_calibration(policy, one, {NOTHING: 500}, version=1))
        moved = predict_failure(after, NOTHING) - predict_failure(before, NOTHING)
        assert (moved > 0.05) if failed else (moved < -0.05)
        wide, narrower = kt.interval(before, NOTHING), kt.interval(after, NOTHING)
        assert wide.low < 0.1
        assert wide.high > 0.5
        assert narrower.high - narrower.low < wide.high - wide.low


def test_many_audited_reviews_make_the_interval_narrow_around_the_truth() -> None:
    """Also where all of them say the same."""
    policy = load_label_policy("rag")
    none = [ReviewedTrace(f"t-{i}", False, NOTHING, 0.05) for i in range(400)]
    scales = LabelScorer(policy, learn_calibration(policy, none, {NOTHING: 8_000}, version=1))
    assert kt.interval(scales, NOTHING).high < 0.05
    half = [ReviewedTrace(f"t-{i}", i % 2 == 0, NOTHING, 0.05) for i in range(400)]
    scales = LabelScorer(policy, learn_calibration(policy, half, {NOTHING: 8_000}, version=1))
    low, high = kt.interval(scales, NOTHING)
    assert 0.4 < low < 0.5 < high < 0.6


def test_what_is_said_lies_within_its_interval() -> None:
    """For signals of every kind, reviews too, cut by caps or not."""
    policy = load_label_policy("agent")
    scales = LabelScorer(policy)
    for names in [[name] for name in policy.signals] + [["thumbs_down", "rating_low", "edit"]]:
        low, high = kt.interval(scales, frozenset(names))
        assert low < predict_failure(scales, frozenset(names)) < high


def test_a_calibration_without_covariance_tells_no_interval() -> None:
    """Those of older versions keep their names and say as much as they did."""
    policy = load_label_policy("agent@1")
    old = prior_calibration(policy).model_copy(update={"version": 3})
    assert prior_calibration(policy).hash == "9cdbe5c9" + prior_calibration(policy).hash[8:]
    assert LabelScorer(policy, old).score([]).interval is None
    assert LabelScorer(policy).score([]).interval is not None


def test_a_covariance_of_another_size_is_refused() -> None:
    """Edited by hand, say; the sentence tells the size that it must have."""
    policy = load_label_policy("agent")
    wrong = prior_calibration(policy).model_copy(update={"covariance": [[1.0]]})
    with pytest.raises(UsageError, match="15 rows of 15 numbers"):
        LabelScorer(policy, wrong)
