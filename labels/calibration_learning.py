"""Learns a calibration from reviews: how often each signal fires on bad and on good answers.

Reviewers see uncertain traces first, so reviews are not a fair sample of all traces. But among
traces with the same signals chance decides which one is reviewed: the queue orders by the signals,
the audit by a hash. So each review represents N / n traces, where N traces in total and n reviewed
ones have exactly its signals (post-stratification; Holt and Smith, JRSS A 142, 1979). Traces
without any signal are known from the audit arm alone. Counts are scaled to the effective sample
size before they update a prior, so that weights do not feign certainty. These are estimates for
each signal by itself; labels are decided by the fit of all signals together (`labels.fit`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from labels.calibration import BetaPosterior, Calibration, SignalEstimate
from labels.diagnostics import (
    JudgedPrediction,
    brier_score,
    calibration_error,
    calibration_error_by_chance,
    reliability_bins,
)
from labels.failure_rate import AuditedTrace, effective_sample_size, estimate_failure_rate
from labels.fit import PatternCount, SignalFit, fit_prior_of, fit_signals
from labels.odds import logit
from labels.policy import LabelPolicy
from labels.readings import REVIEW_READINGS
from labels.scorer import LabelScorer
from labels.signals import Signal
from schemas.errors import UsageError

SignalPattern = frozenset[str]
"""The signals of the policy that count for a trace, without those of reviews."""

FOLDS = 5


class ReviewedTrace(NamedTuple):
    """A trace that reviewers judged good or bad.

    ``audit_probability`` is the probability of its draw if it was in the audit arm, else None.
    """

    trace_id: str
    failed: bool
    pattern: SignalPattern
    audit_probability: float | None = None


def signal_pattern(signals: Iterable[Signal], policy: LabelPolicy) -> SignalPattern:
    """Return the signals of the policy that count among these, without those of reviews."""
    return frozenset(
        signal.name
        for signal in signals
        if signal.counts
        and signal.name is not None
        and policy.reading_of(signal.name) not in REVIEW_READINGS
    )


def learn_calibration(
    policy: LabelPolicy,
    reviewed: Sequence[ReviewedTrace],
    population: Mapping[SignalPattern, int],
    *,
    version: int,
) -> Calibration:
    """Return a new calibration with its diagnostics; nothing uses it until a setting names it.

    ``population`` counts all traces by pattern, including the empty pattern and traces without a
    label event. One audited review is enough: where reviews are few, the policy's priors prevail
    and the intervals of the labels stay wide. Raises UsageError if no audited trace was reviewed:
    then nothing can be learnt.
    """
    _require_audited(reviewed)
    calibration = fit_calibration(policy, reviewed, population, version=version)
    return calibration.model_copy(
        update={"diagnostics": _diagnostics(policy, calibration, reviewed, population)}
    )


def predict_failure(scorer: LabelScorer, pattern: SignalPattern) -> float:
    """Return the probability of fail of a trace with these signals."""
    signals = [Signal(name, name, None, 0, name, counts=True) for name in sorted(pattern)]
    return scorer.score(signals).p_fail


def fit_calibration(
    policy: LabelPolicy,
    reviewed: Sequence[ReviewedTrace],
    population: Mapping[SignalPattern, int],
    *,
    version: int,
) -> Calibration:
    """Return a calibration without diagnostics, from reviews of any kind."""
    weights = _weights(reviewed, population)
    base_rate = _base_rate(policy, reviewed, weights)
    fit = fit_reviews(policy, reviewed)
    return Calibration(
        version=version,
        policy=policy.hash,
        base_rate=base_rate,
        signals={
            name: _signal(policy, name, reviewed, weights).model_copy(
                update={"fitted": _fitted_strength(policy, name, fit)}
            )
            for name in policy.signals
        },
        # So that a trace without signals has its fitted probability.
        intercept=round(min(max(fit.base - logit(base_rate.mean), -10.0), 10.0), 9),
        covariance=[[round(value, 9) for value in row] for row in fit.covariance.tolist()],
    )


def fit_reviews(policy: LabelPolicy, reviewed: Sequence[ReviewedTrace]) -> SignalFit:
    """Return the fit of all signals of the policy together, without those of reviews."""
    counts = Counter(item.pattern for item in reviewed)
    failed = Counter(item.pattern for item in reviewed if item.failed)
    ordered = sorted(counts, key=sorted)
    return fit_signals(
        fit_prior_of(policy),
        [PatternCount(pattern, counts[pattern], failed[pattern]) for pattern in ordered],
    )


def _fitted_strength(policy: LabelPolicy, name: str, fit: SignalFit) -> float | None:
    """Return the strength of a signal for what it points to."""
    if name not in fit.weights:
        return None
    sign = 1 if policy.signals[name].points_to == "fail" else -1
    return round(min(max(sign * fit.weights[name], -50.0), 50.0), 9)


def _weights(
    reviewed: Sequence[ReviewedTrace], population: Mapping[SignalPattern, int]
) -> list[float]:
    """Return how many traces each review represents, at least one."""
    counts = Counter(item.pattern for item in reviewed)
    return [max(1.0, population.get(item.pattern, 0) / counts[item.pattern]) for item in reviewed]


def _base_rate(
    policy: LabelPolicy, reviewed: Sequence[ReviewedTrace], weights: Sequence[float]
) -> BetaPosterior:
    yes, no = _scaled_counts([item.failed for item in reviewed], weights)
    return BetaPosterior.of(policy.base_rate, yes, no)


def _signal(
    policy: LabelPolicy, name: str, reviewed: Sequence[ReviewedTrace], weights: Sequence[float]
) -> SignalEstimate:
    rule = policy.signals[name]
    if policy.reading_of(name) in REVIEW_READINGS:  # reviews cannot be judged by reviews
        return SignalEstimate(
            sensitivity=BetaPosterior.of(rule.sensitivity),
            specificity=BetaPosterior.of(rule.specificity),
        )
    pairs = list(zip(reviewed, weights, strict=True))
    targets = [(r, w) for r, w in pairs if r.failed == (rule.points_to == "fail")]
    others = [(r, w) for r, w in pairs if r.failed != (rule.points_to == "fail")]
    fires, misses = _scaled_counts([name in r.pattern for r, _ in targets], [w for _, w in targets])
    wrong, silent = _scaled_counts([name in r.pattern for r, _ in others], [w for _, w in others])
    return SignalEstimate(
        sensitivity=BetaPosterior.of(rule.sensitivity, fires, misses),
        specificity=BetaPosterior.of(rule.specificity, silent, wrong),
    )


def _scaled_counts(yes: Sequence[bool], weights: Sequence[float]) -> tuple[float, float]:
    total = math.fsum(weights)
    if not total:
        return 0.0, 0.0
    share = math.fsum(w for w, is_yes in zip(weights, yes, strict=True) if is_yes) / total
    size = effective_sample_size(weights)
    return share * size, (1 - share) * size


def _diagnostics(
    policy: LabelPolicy,
    calibration: Calibration,
    reviewed: Sequence[ReviewedTrace],
    population: Mapping[SignalPattern, int],
) -> dict[str, Any]:
    weights, fit = _weights(reviewed, population), fit_reviews(policy, reviewed)
    held_out = _held_out_predictions(policy, reviewed, population)
    prior_scorer = LabelScorer(policy)
    prior = [
        JudgedPrediction(predict_failure(prior_scorer, r.pattern), r.failed, w)
        for r, w in zip(reviewed, weights, strict=True)
    ]
    audited = [
        AuditedTrace(r.failed, r.audit_probability)
        for r in reviewed
        if r.audit_probability is not None
    ]
    rate = estimate_failure_rate(
        audited
    )  # without the population: not all drawn traces may be reviewed yet
    covered = {item.pattern for item in reviewed}
    covered_traces = sum(n for pattern, n in population.items() if pattern in covered)
    expected, at_most = fit.error(population or Counter(r.pattern for r in reviewed))
    return {
        "reviews": len(reviewed),
        "audited": len(audited),
        "covered": covered_traces / max(1, sum(population.values())),
        "brier": brier_score(held_out),
        "brier_of_priors": brier_score(prior),
        "calibration_error": calibration_error(held_out),
        "calibration_error_by_chance": calibration_error_by_chance(held_out),
        "calibration_error_debiased": calibration_error(held_out, debiased=True),
        "expected_error": {"mean": expected, "at_most": at_most, "confidence": 0.95},
        "calibration_error_of_priors": calibration_error(prior),
        "reliability": [
            reliability_bin._asdict() for reliability_bin in reliability_bins(held_out)
        ],
        "failure_rate": {
            "hajek": rate.hajek,
            "low": rate.low,
            "high": rate.high,
            "confidence": rate.confidence,
        }
        if rate is not None
        else None,
        "points_the_wrong_way": sorted(
            name
            for name, estimate in calibration.signals.items()
            if (estimate.unfitted_strength if estimate.fitted is None else estimate.fitted) <= 0
        ),
    }


def _held_out_predictions(
    policy: LabelPolicy, reviewed: Sequence[ReviewedTrace], population: Mapping[SignalPattern, int]
) -> list[JudgedPrediction]:
    """Predict each review by a calibration that was learnt without it (cross-validation)."""
    weights = _weights(reviewed, population)
    predictions = []
    for fold in range(FOLDS):
        others = [item for item in reviewed if _fold(item.trace_id) != fold]
        scorer = (
            LabelScorer(policy, fit_calibration(policy, others, population, version=0))
            if others
            else LabelScorer(policy)
        )
        predictions += [
            JudgedPrediction(predict_failure(scorer, item.pattern), item.failed, weight)
            for item, weight in zip(reviewed, weights, strict=True)
            if _fold(item.trace_id) == fold
        ]
    return predictions


def _fold(trace_id: str) -> int:
    return blake2b(trace_id.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % FOLDS


def _require_audited(reviewed: Sequence[ReviewedTrace]) -> None:
    if all(item.audit_probability is None for item in reviewed):
        raise UsageError(
            "no review is of the random audit: reviews of uncertain answers alone are not a fair "
            "sample."
        )
