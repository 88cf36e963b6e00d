"""Traces whose probability of fail is known exactly, drawn by the ten thousand.

A world says how often each signal fires on bad and on good answers; signals fire independently. So
of each set of signals the true probability of fail is known by Bayes' rule, and what labels say is
held against that: no luck of who happened to fail is left in the error. The worlds:

- ``few``: thumbs (4 % of users, three times as often from the unhappy, 15 % of them the opposite of
  the truth), edits and escalations, as in ``simulation``;
- ``as said``: every signal fires as often as the preset says;
- ``noisy``: signals fire twice as often where they should not;
- ``quiet``: they fire half as often where they should;
- ``sharp``: half as often again where they should, and half as often where they should not. Nearly
  always right, they are better taken at their word: the limit of what priors can promise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from labels.calibration_learning import ReviewedTrace, SignalPattern, predict_failure
from labels.decision import apply_thresholds
from labels.fit import learnable_signals
from labels.policy import LabelPolicy
from labels.probability_interval import ProbabilityInterval
from labels.scorer import LabelScorer
from labels.signals import Signal

Array = npt.NDArray[Any]
Rates = Mapping[str, tuple[float, float]]
"""By signal: how often it fires on bad answers, and on good ones."""

WORLDS: Final = ("few", "as said", "noisy", "quiet")
_FEW: Final[Rates] = {
    "thumbs_down": (0.064, 0.00375),
    "thumbs_up": (0.011, 0.021),
    "edit": (0.25, 0.03),
    "escalation": (0.35, 0.06),
}
_BINS: Final = 10
_REVIEWERS: Final = 5


def world(name: str, policy: LabelPolicy) -> Rates:
    """Return how often the signals of a policy fire in a world of this name."""
    if name == "few":
        return _FEW
    found = {}
    for signal in learnable_signals(policy):
        rule = policy.signals[signal]
        right, wrong = rule.sensitivity.mean, 1 - rule.specificity.mean
        if name == "noisy":
            wrong = min(2 * wrong, 0.7 * right)
        elif name == "quiet":
            right = max(right / 2, 1.2 * wrong)
        elif name == "sharp":
            right, wrong = min(1.5 * right, 0.6), wrong / 2
        found[signal] = (right, wrong) if rule.points_to == "fail" else (wrong, right)
    return found


@dataclass(frozen=True)
class Drawn:
    """Traces by the set of their signals.

    ``pattern`` is the place of each trace among ``patterns``; ``truth`` the probability of fail of
    each pattern; ``bad`` whether each trace failed, ``audited`` whether the audit drew it.
    """

    bad: Array
    audited: Array
    pattern: Array
    patterns: Sequence[SignalPattern]
    truth: Array
    audit_rate: float

    @property
    def counts(self) -> Array:
        """Return how many traces each pattern has."""
        return np.bincount(self.pattern, minlength=len(self.patterns))

    @property
    def signalled(self) -> Array:
        """Return which patterns have a signal."""
        return np.array([bool(pattern) for pattern in self.patterns])


def draw(rates: Rates, bad_share: float, traces: int, seed: int, *, audit: float = 0.05) -> Drawn:
    """Draw traces, of which ``bad_share`` fail."""
    rng = np.random.default_rng(seed)
    names = sorted(rates)
    on_bad, on_good = np.array([rates[name] for name in names]).T
    bad = rng.random(traces) < bad_share
    fires = rng.random((traces, len(names))) < np.where(bad[:, None], on_bad, on_good)
    _, first, pattern = np.unique(
        fires @ (1 << np.arange(len(names))), return_index=True, return_inverse=True
    )
    rows = fires[first]
    weights = np.where(rows, np.log(on_bad / on_good), np.log((1 - on_bad) / (1 - on_good)))
    odds = np.log(bad_share / (1 - bad_share)) + weights.sum(axis=1)
    return Drawn(
        bad=bad,
        audited=rng.random(traces) < audit,
        pattern=pattern,
        patterns=[frozenset(np.array(names)[row].tolist()) for row in rows],
        truth=1 / (1 + np.exp(-odds)),
        audit_rate=audit,
    )


def said(drawn: Drawn, scales: LabelScorer) -> Array:
    """Return the probability of fail that labels say of each pattern."""
    return np.array([predict_failure(scales, pattern) for pattern in drawn.patterns])


def at_their_word(drawn: Drawn, policy: LabelPolicy) -> Array:
    """Return what the signals themselves say: 1 for fail, 0 for pass, a half where they differ."""
    sides = [
        sum(1 if policy.signals[name].points_to == "fail" else -1 for name in pattern)
        for pattern in drawn.patterns
    ]
    values: Array = (np.sign(np.array(sides)) + 1) / 2
    return values


def brier(probabilities: Array, drawn: Drawn) -> float:
    """Return the expected Brier score on traces that have a signal."""
    weight = drawn.counts * drawn.signalled
    off = drawn.truth * (1 - probabilities) ** 2 + (1 - drawn.truth) * probabilities**2
    return float(weight @ off / weight.sum())


def chosen(drawn: Drawn, scales: LabelScorer, reviews: int, seed: int) -> Array:
    """Return the places of the traces that are reviewed: those of the audit and the most uncertain.

    As `labels.review_queue` does it: the audit has ``review.audit_share`` of all reviews.
    """
    p = said(drawn, scales)
    opened = np.array([bool(pattern & scales.trigger_signals) for pattern in drawn.patterns])
    unknown = np.array([apply_thresholds(each, scales) == "unknown" for each in p]) & opened
    uncertain = np.flatnonzero(unknown[drawn.pattern] & ~drawn.audited)
    order = np.random.default_rng(seed).permutation(len(uncertain))
    uncertain = uncertain[order][np.argsort(-(p * (1 - p))[drawn.pattern[uncertain[order]]])]
    audit = np.flatnonzero(drawn.audited)
    most = round(reviews * scales.policy.review.audit_share)
    first = uncertain[: reviews - min(most, len(audit))]
    return np.concatenate([audit[: reviews - len(first)], first])


def reviewed(drawn: Drawn, places: Array, seed: int) -> list[ReviewedTrace]:
    """Review these traces; each of five reviewers has a sensitivity of .93 to 1, and a specificity
    of .95 to 1.
    """
    rng = np.random.default_rng(seed)
    sensitivity, specificity = rng.uniform(0.93, 1, _REVIEWERS), rng.uniform(0.95, 1, _REVIEWERS)
    by = rng.integers(0, _REVIEWERS, len(places))
    chance = rng.random(len(places))
    fails = np.where(drawn.bad[places], chance < sensitivity[by], chance >= specificity[by])
    return [
        ReviewedTrace(
            f"t-{place}",
            bool(fail),
            drawn.patterns[drawn.pattern[place]],
            drawn.audit_rate if drawn.audited[place] else None,
        )
        for place, fail in zip(places.tolist(), fails.tolist(), strict=True)
    ]


def population(drawn: Drawn) -> Mapping[SignalPattern, int]:
    """Return how many traces each set of signals has."""
    return dict(zip(drawn.patterns, drawn.counts.tolist(), strict=True))


def others(drawn: Drawn, places: Array) -> Array:
    """Return how many traces of each pattern nobody has reviewed."""
    return drawn.counts - np.bincount(drawn.pattern[places], minlength=len(drawn.patterns))


def error(probabilities: Array, drawn: Drawn, weight: Array) -> float:
    """Return the calibration error over ten bins against the true probabilities: without noise."""
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weight * (probabilities - drawn.truth), minlength=_BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def covered(drawn: Drawn, scales: LabelScorer, weight: Array) -> tuple[float, float]:
    """Return for how many traces the interval holds the truth, and how wide it is in the mean."""
    ranges = [interval(scales, pattern) for pattern in drawn.patterns]
    low, high = np.array(ranges).T
    holds = (low <= drawn.truth) & (drawn.truth <= high)
    return float(weight @ holds / weight.sum()), float(weight @ (high - low) / weight.sum())


def interval(scales: LabelScorer, pattern: SignalPattern) -> ProbabilityInterval:
    """Return the interval of a label with these signals."""
    signals = [Signal(name, name, None, 0, name, counts=True) for name in sorted(pattern)]
    found = scales.score(signals).interval
    assert found is not None
    return found
