"""Learns a calibration from reviews: how often each signal fires on bad and on good answers.

Reviewers see the uncertain first, so reviews are no fair sample of all traces. But among traces
with the same signals it is chance which one is reviewed: the queue orders by the signals, the audit
by a hash. So each review stands for N / n traces, where N traces in all and n reviewed ones have
exactly its signals (post-stratification; Holt and Smith, JRSS A 142, 1979). Traces without any
signal are known from the audit arm alone. Counts are scaled to the effective sample size before
they move a prior, so that weights do not feign certainty. That tells of each signal by itself; what
decides labels is the fit of all of them together (`labels.fit`).
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
from labels.fit import PatternCount, SignalFit, fit_signals
from labels.fit_prior import fit_prior_of
from labels.odds import logit
from labels.policy import LabelPolicy
from labels.readings import REVIEW_READINGS
from labels.scorer import LabelScorer
from labels.signals import Signal
from schemas.errors import UsageError
from schemas.records import LabelEvent

SignalPattern = frozenset[str]
"""The signals of the policy that count for a trace, those of reviews left out."""

FOLDS = 5


class ReviewedTrace(NamedTuple):
    """A trace that reviewers found good or bad.

    ``audit_probability`` is that of the draw if it was in the audit arm, else None.
    """

    trace_id: str
    failed: bool
    pattern: SignalPattern
    audit_probability: float | None = None


def signal_pattern(signals: Iterable[Signal], policy: LabelPolicy) -> SignalPattern:
    """Return the signals of the policy that count among these, reviews left out."""
    return frozenset(
        signal.name
        for signal in signals
        if signal.counts
        and signal.name is not None
        and policy.reading_of(signal.name) not in REVIEW_READINGS
    )


def pattern_of(event: LabelEvent, policy: LabelPolicy) -> SignalPattern:
    """Return the signals that a label event rests on, reviews left out."""
    return frozenset(
        item.kind
        for item in event.evidence
        if item.weight
        and item.kind in policy.signals
        and policy.reading_of(item.kind) not in REVIEW_READINGS
    )


def learn_calibration(
    policy: LabelPolicy,
    reviewed: Sequence[ReviewedTrace],
    population: Mapping[SignalPattern, int],
    *,
    version: int,
) -> Calibration:
    """Return a new calibration with its diagnostics; nothing uses it until it is chosen.

    ``population`` counts the traces with each pattern, the empty one included: those without a
    label event too. One review of the audit is enough to begin with: what few reviews cannot tell
    stays as the policy has it, and the intervals of the labels stay wide. Raises UsageError if no
    audited one is among them: then nothing can be learnt.
    """
    _refuse_too_little(reviewed)
    learnt = fit_calibration(policy, reviewed, population, version=version)
    return learnt.model_copy(
        update={"diagnostics": _diagnostics(policy, learnt, reviewed, population)}
    )


def predict_failure(scales: LabelScorer, pattern: SignalPattern) -> float:
    """Return the probability of fail of a trace with these signals."""
    signals = [Signal(name, name, None, 0, name, counts=True) for name in sorted(pattern)]
    return scales.weigh(signals).p_fail


def fit_calibration(
    policy: LabelPolicy,
    reviewed: Sequence[ReviewedTrace],
    population: Mapping[SignalPattern, int],
    *,
    version: int,
) -> Calibration:
    """Return what `learn_calibration` does, without diagnostics, and from reviews of any kind."""
    weights = _weights(reviewed, population)
    base_rate = _base_rate(policy, reviewed, weights)
    together = fit_reviews(policy, reviewed)
    return Calibration(
        version=version,
        policy=policy.hash,
        base_rate=base_rate,
        signals={
            name: _signal(policy, name, reviewed, weights).model_copy(
                update={"fitted": _towards(policy, name, together)}
            )
            for name in policy.signals
        },
        # So that a trace without signals has the probability that was fitted for it.
        intercept=round(min(max(together.base - logit(base_rate.mean), -10.0), 10.0), 9),
        covariance=[[round(number, 9) for number in row] for row in together.covariance.tolist()],
    )


def fit_reviews(policy: LabelPolicy, reviewed: Sequence[ReviewedTrace]) -> SignalFit:
    """Return the fit of all signals of the policy together, those of reviews left out."""
    counts = Counter(item.pattern for item in reviewed)
    failed = Counter(item.pattern for item in reviewed if item.failed)
    ordered = sorted(counts, key=sorted)
    return fit_signals(
        fit_prior_of(policy),
        [PatternCount(pattern, counts[pattern], failed[pattern]) for pattern in ordered],
    )


def _towards(policy: LabelPolicy, name: str, together: SignalFit) -> float | None:
    """Return the strength of a signal for what it points to."""
    if name not in together.weights:
        return None
    sign = 1 if policy.signals[name].points_to == "fail" else -1
    return round(min(max(sign * together.weights[name], -50.0), 50.0), 9)


def _weights(
    reviewed: Sequence[ReviewedTrace], population: Mapping[SignalPattern, int]
) -> list[float]:
    """Return how many traces each review stands for; at least itself."""
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
    if policy.reading_of(name) in REVIEW_READINGS:  # nothing here to hold reviewers against
        return SignalEstimate(
            sensitivity=BetaPosterior.of(rule.sensitivity),
            specificity=BetaPosterior.of(rule.specificity),
        )
    pairs = list(zip(reviewed, weights, strict=True))
    aimed = [(r, w) for r, w in pairs if r.failed == (rule.points_to == "fail")]
    others = [(r, w) for r, w in pairs if r.failed != (rule.points_to == "fail")]
    fires, misses = _scaled_counts([name in r.pattern for r, _ in aimed], [w for _, w in aimed])
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
    learnt: Calibration,
    reviewed: Sequence[ReviewedTrace],
    population: Mapping[SignalPattern, int],
) -> dict[str, Any]:
    weights, together = _weights(reviewed, population), fit_reviews(policy, reviewed)
    now = _held_out(policy, reviewed, population)
    before = LabelScorer(policy)
    prior = [
        JudgedPrediction(predict_failure(before, r.pattern), r.failed, w)
        for r, w in zip(reviewed, weights, strict=True)
    ]
    audited = [
        AuditedTrace(r.failed, r.audit_probability)
        for r in reviewed
        if r.audit_probability is not None
    ]
    rate = estimate_failure_rate(
        audited
    )  # not divided by the population: not all drawn may be reviewed yet
    covered = {item.pattern for item in reviewed}
    seen = sum(count for pattern, count in population.items() if pattern in covered)
    expected, at_most = together.error(population or Counter(r.pattern for r in reviewed))
    return {
        "reviews": len(reviewed),
        "audited": len(audited),
        "covered": seen / max(1, sum(population.values())),
        "brier": brier_score(now),
        "brier_of_priors": brier_score(prior),
        "calibration_error": calibration_error(now),
        "calibration_error_by_chance": calibration_error_by_chance(now),
        "calibration_error_debiased": calibration_error(now, debiased=True),
        "expected_error": {"mean": expected, "at_most": at_most, "confidence": 0.95},
        "calibration_error_of_priors": calibration_error(prior),
        "reliability": [part._asdict() for part in reliability_bins(now)],
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
            for name, estimate in learnt.signals.items()
            if (estimate.alone if estimate.fitted is None else estimate.fitted) <= 0
        ),
    }


def _held_out(
    policy: LabelPolicy, reviewed: Sequence[ReviewedTrace], population: Mapping[SignalPattern, int]
) -> list[JudgedPrediction]:
    """Judge each review by a calibration that was learnt without it (cross-validation)."""
    weights = _weights(reviewed, population)
    found = []
    for fold in range(FOLDS):
        rest = [item for item in reviewed if _fold(item.trace_id) != fold]
        scales = (
            LabelScorer(policy, fit_calibration(policy, rest, population, version=0))
            if rest
            else LabelScorer(policy)
        )
        found += [
            JudgedPrediction(predict_failure(scales, item.pattern), item.failed, weight)
            for item, weight in zip(reviewed, weights, strict=True)
            if _fold(item.trace_id) == fold
        ]
    return found


def _fold(trace_id: str) -> int:
    return blake2b(trace_id.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % FOLDS


def _refuse_too_little(reviewed: Sequence[ReviewedTrace]) -> None:
    if all(item.audit_probability is None for item in reviewed):
        raise UsageError(
            "no review is of the random audit: those of uncertain answers alone are no fair sample."
        )
