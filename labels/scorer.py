"""Scores evidence: sums signals to log-odds of fail, capping each correlated group.

Weights add up as in naive Bayes. Signals of one group tend to come together (a user who presses
thumbs down also gives a low rating), so their sum is cut to the group's cap. Within the cut each
signal keeps its share, so the weights in a label event always add up to its probability. A signal
without a group is a group of its own: the same signal five times says no more than once.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labels.calibration import Calibration, prior_calibration, require_matching_policy
from labels.odds import expit
from labels.policy import LabelPolicy
from labels.probability_interval import IntervalEstimator, ProbabilityInterval
from labels.readings import ABSENCE_READINGS, SILENCE
from labels.signals import Signal
from schemas.errors import FatalError
from schemas.records import Evidence
from schemas.yaml_documents import validate_document

_DIGITS = 9
"""Weights are rounded to this many digits, since logarithms differ between machines in the last."""


MAX_LISTED_SIGNALS = 256
"""Feedback from ten thousand users must not make label events of a megabyte at each flush."""
OTHER_SIGNALS = "others"
_CALIBRATION_VERSIONS = 2**10


@dataclass(frozen=True, slots=True)
class ScoredEvidence:
    """Evidence with its weights: ``p_fail`` is 1 / (1 + exp(-(base + sum of the weights))).

    ``interval`` contains ``p_fail``; it is None where the calibration does not determine one.
    """

    base: float
    items: tuple[Evidence, ...]
    p_fail: float
    interval: ProbabilityInterval | None


class LabelScorer:
    """Scores signals under one policy and one calibration. Immutable."""

    def __init__(self, policy: LabelPolicy, calibration: Calibration | None = None) -> None:
        """Raise UsageError if the calibration belongs to another policy."""
        self.policy = policy
        self.calibration = calibration or prior_calibration(policy)
        require_matching_policy(policy, self.calibration)
        self.weights: Mapping[str, float] = self.calibration.weights(policy)
        rate = self.calibration.base_rate.mean
        slope, intercept = self.calibration.slope, self.calibration.intercept
        self.base = round(intercept + slope * math.log(rate / (1 - rate)), _DIGITS)
        self._slope = slope
        self._intervals = IntervalEstimator(policy, self.calibration)
        self._caps = {
            name: policy.groups[rule.group].cap if rule.group else abs(self.weights[name])
            for name, rule in policy.signals.items()
        }
        self.trigger_signals = frozenset(name for name in policy.signals if self._is_trigger(name))

    @property
    def generation(self) -> int:
        """Return the number of this combination of policy and calibration version, from 0."""
        return (self.policy.version - 1) * _CALIBRATION_VERSIONS + self.calibration.version

    @property
    def policy_version(self) -> str:
        """Return how label events name the policy and the calibration."""
        policy, calibration = self.policy, self.calibration
        return (
            f"{policy.name}/{policy.version}-{policy.hash[:8]}"
            f"+{calibration.version}-{calibration.hash[:8]}"
        )

    def score(self, signals: Sequence[Signal]) -> ScoredEvidence:
        """Return the evidence in the order of the signals, and the probability of fail.

        Beyond ``MAX_LISTED_SIGNALS``, the weightiest are listed and the rest is summed up.
        """
        sums: dict[str, float] = defaultdict(float)
        for signal in signals:
            if signal.counts and signal.name is not None:
                sums[self._group(signal.name)] += self.weights[signal.name]
        items = _limit_items([self._item(signal, sums) for signal in signals])
        total = math.fsum([self.base, *(item.weight for item in items)])
        interval = self._intervals.estimate(total, self._shares(signals, sums))
        return ScoredEvidence(self.base, items, round(expit(total), _DIGITS), interval)

    def triggers_event(self, signals: Sequence[Signal]) -> bool:
        """Return whether one of the signals is enough for a label event, taken back or not."""
        return any(signal.name in self.trigger_signals for signal in signals)

    def _item(self, signal: Signal, sums: Mapping[str, float]) -> Evidence:
        return Evidence(
            feedback_id=signal.source_id,
            kind=signal.name or signal.kind,
            weight=self._weight(signal, sums),
        )

    def _weight(self, signal: Signal, sums: Mapping[str, float]) -> float:
        if not signal.counts or signal.name is None:
            return 0.0
        return round(
            self._slope * self._cut(signal.name, sums) * self.weights[signal.name], _DIGITS
        )

    def _shares(self, signals: Sequence[Signal], sums: Mapping[str, float]) -> Mapping[str, float]:
        """Return how much of each signal's weight counts, summed over its occurrences."""
        shares: dict[str, float] = defaultdict(float)
        for signal in signals:
            if signal.counts and signal.name is not None:
                shares[signal.name] += self._cut(signal.name, sums)
        return shares

    def _cut(self, name: str, sums: Mapping[str, float]) -> float:
        total, cap = abs(sums[self._group(name)]), self._caps[name]
        return cap / total if total > cap else 1.0

    def _group(self, name: str) -> str:
        return self.policy.signals[name].group or f"={name}"

    def _is_trigger(self, name: str) -> bool:
        policy = self.policy
        if policy.reading_of(name) == SILENCE:
            return policy.exposure.silence_is_labelled
        if name in policy.high_signal.never or policy.reading_of(name) in ABSENCE_READINGS:
            return False
        strong = abs(self.weights[name]) >= policy.high_signal.weight
        return strong or name in policy.high_signal.always


def snapshot_scorer(scorer: LabelScorer) -> dict[str, Any]:
    """Return policy and calibration as JSON, so that a resumed job decides by the same ones.

    The policy's file may have changed by then, or be on another machine. ``version`` is as in label
    events.
    """
    return {
        "version": scorer.policy_version,
        "policy": scorer.policy.model_dump(mode="json"),
        "calibration": scorer.calibration.model_dump(mode="json", exclude={"diagnostics"}),
    }


def restore_scorer(document: Mapping[str, Any], source: str) -> LabelScorer:
    """Return the scorer of a snapshot.

    Raises UsageError, naming ``source``, if the snapshot is invalid; FatalError if this version of
    goldpan would decide differently from the one that took it.
    """
    policy = validate_document(LabelPolicy, document.get("policy") or {}, None, source)
    calibration = validate_document(Calibration, document.get("calibration") or {}, None, source)
    if calibration.policy == policy.hash:
        scorer = LabelScorer(policy, calibration)
        if scorer.policy_version == document.get("version"):
            return scorer
    raise FatalError(
        f"{source}: the label policy {document.get('version')} was stored by another version of "
        "goldpan, which decides differently: abandon this replay and start it again"
    )


def _limit_items(items: list[Evidence]) -> tuple[Evidence, ...]:
    if len(items) <= MAX_LISTED_SIGNALS:
        return tuple(items)
    by_weight = sorted(range(len(items)), key=lambda i: (-abs(items[i].weight), i))
    listed = sorted(by_weight[: MAX_LISTED_SIGNALS - 1])
    unlisted = by_weight[MAX_LISTED_SIGNALS - 1 :]
    unlisted_weight = round(math.fsum(items[i].weight for i in unlisted), _DIGITS)
    return (*(items[i] for i in listed), Evidence(kind=OTHER_SIGNALS, weight=unlisted_weight))
