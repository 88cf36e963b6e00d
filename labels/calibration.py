"""A calibration: a numbered version of what reviews show about a policy's signals.

A calibration changes nothing until a setting names it; every label event names its calibration.
Version 0 is the policy's own priors. Weights follow from posterior means, as in naive Bayes: a
signal that fires adds log P(fires | fail) - log P(fires | pass) to the log-odds of fail (I. J.
Good, Probability and the Weighing of Evidence, 1950). After reviews they come from a fit of all
signals together, since signals are not independent (`labels.fit`). ``slope`` and ``intercept``
rescale the sum (J. Platt, Probabilistic Outputs for Support Vector Machines, 1999).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import Field

from labels.policy import LabelPolicy
from labels.readings import REVIEW_READINGS
from labels.rules import BetaPrior
from schemas.errors import UsageError
from schemas.yaml_documents import DocumentPart, validate_document

_MIN_STRENGTH = 1e-6
"""Just above 0, so that label events still distinguish a signal that counts from one taken back."""


class BetaPosterior(DocumentPart):
    """A Beta posterior; ``alpha`` and ``beta`` are above 0."""

    alpha: float = Field(gt=0)
    beta: float = Field(gt=0)

    @property
    def mean(self) -> float:
        """Return the posterior mean."""
        return self.alpha / (self.alpha + self.beta)

    @classmethod
    def of(cls, prior: BetaPrior, yes: float = 0.0, no: float = 0.0) -> "BetaPosterior":
        """Return the posterior after ``yes`` and ``no`` observations, which may be fractional."""
        return cls(alpha=prior.alpha + yes, beta=prior.beta + no)


class SignalEstimate(DocumentPart):
    """How far one signal is believed.

    ``fitted`` is its strength in the fit of all signals (`labels.fit`), None without a fit.
    """

    sensitivity: BetaPosterior
    specificity: BetaPosterior
    fitted: float | None = Field(default=None, ge=-50, le=50)

    @property
    def unfitted_strength(self) -> float:
        """Return the log-odds that follow from sensitivity and specificity alone."""
        return math.log(self.sensitivity.mean / (1 - self.specificity.mean))

    @property
    def strength(self) -> float:
        """Return the log-odds that the signal adds for what it points to, never quite 0.

        A signal that points the other way according to reviews counts for almost nothing, not for
        its opposite: the policy is wrong and needs fixing.
        """
        return max(_MIN_STRENGTH, self.unfitted_strength if self.fitted is None else self.fitted)


class Calibration(DocumentPart):
    """One version of a calibration. ``policy`` is the hash of the policy it belongs to.

    ``covariance`` is that of the fitted base and weights, in the order of `labels.fit`; None
    in calibrations by versions of goldpan that did not keep it.
    """

    version: int = Field(ge=0, le=1023)
    policy: str
    base_rate: BetaPosterior
    signals: dict[str, SignalEstimate]
    slope: float = Field(default=1.0, gt=0, le=10)
    intercept: float = Field(default=0.0, ge=-10, le=10)
    covariance: list[list[float]] | None = None
    diagnostics: dict[str, Any] = Field(default={})

    @cached_property
    def hash(self) -> str:
        """16 hex digits that identify this calibration; its diagnostics do not count."""
        document = self.model_dump(mode="json", exclude={"diagnostics"})
        if self.covariance is None:  # calibrations without one keep the hash they have always had
            del document["covariance"]
        encoded = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(encoded).hexdigest()[:16]

    def weights(self, policy: LabelPolicy) -> Mapping[str, float]:
        """Return what each signal of the policy adds to the log-odds of fail when it fires."""
        return {
            name: self.signals[name].strength * (1 if rule.points_to == "fail" else -1)
            for name, rule in policy.signals.items()
        }


def prior_calibration(policy: LabelPolicy) -> Calibration:
    """Return version 0: the priors of the policy."""
    return Calibration(
        version=0,
        policy=policy.hash,
        base_rate=BetaPosterior.of(policy.base_rate),
        signals={
            name: SignalEstimate(
                sensitivity=BetaPosterior.of(rule.sensitivity),
                specificity=BetaPosterior.of(rule.specificity),
            )
            for name, rule in policy.signals.items()
        },
    )


def parse_calibration(text: str, name: str) -> Calibration:
    """Read a calibration from JSON; ``name`` identifies it in messages.

    Raises:
        UsageError: the text is not JSON, or not a calibration; with the reason.
    """
    try:
        document = json.loads(text)
    except ValueError:
        raise UsageError(f"{name}: not JSON.") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name}: a calibration is a JSON object.")
    return validate_document(Calibration, document, None, name)


def require_matching_policy(policy: LabelPolicy, calibration: Calibration) -> None:
    """Raise UsageError if the calibration was made for another policy."""
    if calibration.policy != policy.hash:
        raise UsageError(
            f"calibration {calibration.version} was made for the policy {calibration.policy}, not "
            f"for {policy.name} {policy.version} ({policy.hash}): run `goldpan labels calibrate` "
            "for this policy, or go back to the other one."
        )
    if calibration.signals.keys() != policy.signals.keys():
        raise UsageError(
            f"calibration {calibration.version} does not cover the signals of its policy."
        )
    if (rows := calibration.covariance) is not None:
        reviews = sum(policy.reading_of(name) in REVIEW_READINGS for name in policy.signals)
        size = 1 + len(policy.signals) - reviews
        if [len(row) for row in rows] != [size] * size:
            raise UsageError(
                f"calibration {calibration.version}: `covariance` must have {size} rows of {size} "
                "numbers: one for the base and one for each signal, except those of reviews."
            )
