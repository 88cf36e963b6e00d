"""Calibration and estimates, held against a truth that is known (see ``simulation``)."""

import math
import random
import statistics
import xml.etree.ElementTree as ET
from functools import cache
from typing import NamedTuple

import pytest

from labels.binomial_interval import beta_cdf, clopper_pearson
from labels.calibration import Calibration
from labels.calibration_learning import ReviewedTrace, learn_calibration
from labels.diagnostics import (
    JudgedPrediction,
    brier_score,
    calibration_error,
    reliability_bins,
)
from labels.digests import is_drawn_for_audit
from labels.failure_rate import AuditedTrace, effective_sample_size, estimate_failure_rate
from labels.reliability_chart import draw_reliability_chart
from labels.scorer import LabelScorer
from schemas.errors import UsageError
from tests.labels.kit import parse_label_policy
from tests.labels.simulation import (
    LabelScore,
    decided,
    judged,
    play,
    population,
    reviews,
    score_labels,
    truths,
)
from tests.short_versions import short

POLICY = parse_label_policy("extends: agent@1\nname: simulated\naudit: {rate: 0.08}\n", "simulated")
SEEDS = [
    pytest.param(4, 0.06, id="few"),
    pytest.param(20, 0.05, id="many", marks=pytest.mark.chaos),
]
"""So many simulations, of two seconds each, and the bound of the mean error: of few it varies."""
REVIEWS = 200


class Run(NamedTuple):
    """One simulation: how thumbs alone fare on the test half, and how calibrated labels do."""

    thumbs_brier: float
    brier: float
    priors_brier: float
    error: float
    thumbs: LabelScore
    labels: LabelScore
    calibration: Calibration


@cache
def simulate(seed: int) -> Run:
    """Learn from 200 reviews on one half of the tasks, and judge the other half."""
    to_learn, to_test = truths()
    priors = LabelScorer(POLICY)
    past = play(to_learn, 3_000 // len(to_learn), seed, "past")
    events = decided(past, priors)
    found = reviews(past, events, priors, REVIEWS)
    calibration = learn_calibration(POLICY, found, population(events, priors), version=1)
    scales = LabelScorer(POLICY, calibration)
    test = play(to_test, 3_000 // len(to_test), seed, "test")
    labels = decided(test, scales)
    failed = [item.failed for item in test]
    down = [
        any(s.kind == "thumbs" and s.value == -1 for s in item.knowledge.feedback) for item in test
    ]
    said = judged(test, labels, scales)
    return Run(
        thumbs_brier=brier_score(
            [JudgedPrediction(float(d), bad) for d, bad in zip(down, failed, strict=True)]
        ),
        brier=brier_score(said),
        priors_brier=brier_score(judged(test, decided(test, priors), priors)),
        error=calibration_error(said),
        thumbs=score_labels(["fail" if d else "pass" for d in down], failed),
        labels=score_labels([e.label if e is not None else "unknown" for e in labels], failed),
        calibration=calibration,
    )


@pytest.mark.parametrize(("seeds", "bound"), SEEDS)
def test_calibrated_labels_are_worth_their_reviews(seeds: int, bound: float) -> None:
    """They beat "a thumbs down is a fail" on Brier and on F1 of fail, in every simulation.

    They abstain where nothing is known. Their probabilities are off by at most .05 on average (.06
    of few simulations) on tasks that were not learnt from, and over all no worse than the priors.
    """
    runs = [simulate(seed) for seed in range(seeds)]
    for run in runs:
        assert run.brier < run.thumbs_brier - 0.1
        assert run.labels.f1 > run.thumbs.f1 + 0.2
        assert run.labels.precision > 0.7
        assert run.labels.abstained < 0.9
    errors = [run.error for run in runs]
    assert statistics.mean(errors) <= bound
    assert statistics.median(errors) <= 0.05
    assert statistics.mean(r.brier for r in runs) <= statistics.mean(r.priors_brier for r in runs)


def test_diagnostics_tell_the_interval_and_the_drawing() -> None:
    """A calibration carries what a person needs to choose it, and a picture of it can be made."""
    told = simulate(0).calibration.diagnostics
    assert told["reviews"] == REVIEWS
    assert told["failure_rate"]["low"] < told["failure_rate"]["hajek"]
    assert told["calibration_error"] >= 0
    svg = draw_reliability_chart(
        reliability_bins([JudgedPrediction(0.2, False), JudgedPrediction(0.9, True)]), "a < b & c"
    )
    drawn = ET.fromstring(svg)  # noqa: S314 - made here
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}circle")) == 2


@pytest.mark.parametrize(
    "seeds", [pytest.param(3, id="few"), pytest.param(10, id="many", marks=pytest.mark.chaos)]
)
def test_uncertain_first_reviews_do_not_bias_what_is_learnt(seeds: int) -> None:
    """With only few reviews from the audit, the base rate is still that of all traces."""
    to_learn, _ = truths()
    truth = sum(to_learn) / len(to_learn)
    rates, naive = [], []
    for seed in range(seeds):
        priors = LabelScorer(POLICY)
        played = play(to_learn, 3_000 // len(to_learn), seed, "bias")
        events = decided(played, priors)
        # Reviewers see every trace with evidence, and the audit: the evidence is of the unhappy.
        found = [
            r
            for r in reviews(played, events, priors, 10_000)
            if r.audit_probability is not None or r.pattern
        ]
        extra = [
            ReviewedTrace(e.trace_id, p.failed, frozenset(i.kind for i in e.evidence))
            for p, e in zip(played, events, strict=True)
            if e is not None and e.route == "auto"
        ]
        everything = found + extra
        learnt = learn_calibration(POLICY, everything, population(events, priors), version=1)
        rates.append(learnt.base_rate.mean)
        naive.append(sum(r.failed for r in everything) / len(everything))
    assert abs(statistics.mean(naive) - truth) > 0.15
    assert abs(statistics.mean(rates) - truth) < 0.03


@pytest.mark.parametrize("seeds", short([100, 300], [100]))
@pytest.mark.parametrize("rates", [(0.06, 0.06), (0.03, 0.2)])
def test_the_audit_interval_covers_the_truth(rates: tuple[float, float], seeds: int) -> None:
    """In at least 93 % of the seeds at a nominal 95 %, with equal and with unequal probabilities.

    The interval is Korn and Graubard's: Clopper-Pearson on the effective sample size.
    """
    to_learn, _ = truths()
    failed = (to_learn * (1_500 // len(to_learn) + 1))[:1_500]
    truth = sum(failed) / len(failed)
    covered = sum(_covers(failed, truth, rates, seed) for seed in range(seeds))
    assert covered / seeds >= 0.93


def _covers(failed: list[bool], truth: float, rates: tuple[float, float], seed: int) -> bool:
    # The bad are over-represented where the rate is high, so that the weights have work to do.
    rng = random.Random(seed)  # noqa: S311
    audited = []
    for number, bad in enumerate(failed):
        rate = rates[rng.random() < (0.7 if bad else 0.3)]
        if is_drawn_for_audit(f"trace-{number}", f"seed-{seed}", rate):
            audited.append(AuditedTrace(bad, rate))
    estimate = estimate_failure_rate(audited)
    return estimate is not None and estimate.low <= truth <= estimate.high


def test_rare_failures_are_covered_too() -> None:
    """Near 0, where the usual interval fails, this one still covers as often as it says."""
    rng = random.Random(1)  # noqa: S311
    covered = 0
    for _ in range(300):
        sample = [AuditedTrace(rng.random() < 0.01, 0.05) for _ in range(150)]
        estimate = estimate_failure_rate(sample)
        assert estimate is not None
        covered += estimate.low <= 0.01 <= estimate.high
    assert covered / 300 >= 0.93


def test_intervals_match_published_values() -> None:
    """Clopper-Pearson as in the tables: 0 of 10, 5 of 10, and the beta function at a half."""
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert beta_cdf(0.5, 3, 3) == pytest.approx(0.5)
    assert beta_cdf(0.3, 2, 5) == pytest.approx(0.579825)


def test_the_estimate_weighs_by_the_draw() -> None:
    """A trace that was drawn with a tenth of the probability stands for ten times as many."""
    estimate = estimate_failure_rate(
        [AuditedTrace(True, 0.01), AuditedTrace(False, 0.1)], population=110
    )
    assert estimate is not None
    assert estimate.hajek == pytest.approx(100 / 110)
    assert estimate.horvitz_thompson == pytest.approx(100 / 110)
    assert estimate_failure_rate([]) is None
    assert math.isclose(effective_sample_size([2.0, 2.0, 2.0]), 3)
    with pytest.raises(ValueError, match="audit probability"):
        estimate_failure_rate([AuditedTrace(True, 0.0)])


def test_reviews_of_uncertain_answers_alone_teach_nothing() -> None:
    """Without any of the audit there is no calibration."""
    reviewed = [ReviewedTrace("t", i % 2 == 0, frozenset(), None) for i in range(30)]
    with pytest.raises(UsageError, match="random audit"):
        learn_calibration(POLICY, reviewed, {frozenset(): 100}, version=1)


def test_measures_of_probabilities() -> None:
    """Brier and calibration error by hand."""
    perfect = [JudgedPrediction(1.0, True), JudgedPrediction(0.0, False)]
    assert (brier_score(perfect), calibration_error(perfect)) == (0.0, 0.0)
    coin = [JudgedPrediction(0.5, True), JudgedPrediction(0.5, False)]
    assert (brier_score(coin), calibration_error(coin)) == (0.25, 0.0)
    assert calibration_error(
        [JudgedPrediction(0.9, False), JudgedPrediction(0.1, False, 3.0)]
    ) == pytest.approx(0.3)
    assert brier_score([]) == calibration_error([]) == 0.0
