"""A calibration: what reviews have taught about a policy's signals, as a numbered version.

It moves nothing by itself: whoever decides is given one, and every label event names it. Version 0
is the policy's own priors. Weights follow from posterior means, as in naive Bayes: a signal that
fires adds log P(fires | fail) - log P(fires | pass) to the log-odds of fail (I. J. Good,
Probability and the Weighing of Evidence, 1950); after reviews, from a fit of all signals together,
since they are not independent of each other (`labels.fit`). ``slope`` and ``intercept`` rescale the
sum (J. Platt, Probabilistic Outputs for Support Vector Machines, 1999).
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

_LEAST = 1e-6
"""Not quite 0, so that label events still tell a signal that counts from one taken back."""


class BetaPosterior(DocumentPart):
    """A Beta posterior, ``alpha`` and ``beta`` both above 0."""

    alpha: float = Field(gt=0)
    beta: float = Field(gt=0)

    @property
    def mean(self) -> float:
        """Return the posterior mean."""
        return self.alpha / (self.alpha + self.beta)

    @classmethod
    def of(cls, prior: BetaPrior, yes: float = 0.0, no: float = 0.0) -> "BetaPosterior":
        """Return the posterior after ``yes`` and ``no`` observations, which may be fractions."""
        return cls(alpha=prior.alpha + yes, beta=prior.beta + no)


class SignalEstimate(DocumentPart):
    """How far one signal is believed.

    ``fitted`` is its strength as it was fitted together with the others (`labels.fit`), if it was.
    """

    sensitivity: BetaPosterior
    specificity: BetaPosterior
    fitted: float | None = Field(default=None, ge=-50, le=50)

    @property
    def alone(self) -> float:
        """Return the log-odds that sensitivity and specificity give the signal by itself."""
        return math.log(self.sensitivity.mean / (1 - self.specificity.mean))

    @property
    def strength(self) -> float:
        """Return the log-odds that the signal adds for what it points to; next to 0 for nothing.

        A signal that reviews found to point the other way counts for nothing, not for its opposite:
        that is a policy to mend.
        """
        return max(_LEAST, self.alone if self.fitted is None else self.fitted)


class Calibration(DocumentPart):
    """One version of a calibration. ``policy`` is the hash of the policy it belongs to.

    ``covariance`` is that of base and weights as they were fitted, in the order of `labels.fit_prior`;
    None in calibrations of versions that did not keep it.
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
        """16 hex digits that name what this calibration says, whatever its diagnostics."""
        document = self.model_dump(mode="json", exclude={"diagnostics"})
        if self.covariance is None:  # calibrations that were learnt without one keep their names
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
    """Return version 0: nothing but the priors of the policy."""
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
    """Read a calibration from JSON; ``name`` stands for it in messages.

    Raises:
        UsageError: it is no JSON, or not a calibration; with the reason.
    """
    try:
        document = json.loads(text)
    except ValueError:
        raise UsageError(f"{name}: not JSON.") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name}: a calibration is a JSON object.")
    return validate_document(Calibration, document, None, name)


def require_matching_policy(policy: LabelPolicy, calibration: Calibration) -> None:
    """Raise UsageError if the calibration was made for another policy than this."""
    if calibration.policy != policy.hash:
        raise UsageError(
            f"calibration {calibration.version} was made for the policy {calibration.policy}, not "
            f"for {policy.name} {policy.version} ({policy.hash}): run `goldpan labels calibrate` "
            "for this policy, or go back to that one."
        )
    if calibration.signals.keys() != policy.signals.keys():
        raise UsageError(f"calibration {calibration.version} has not the signals of its policy.")
    if (rows := calibration.covariance) is not None:
        reviews = sum(policy.reading_of(name) in REVIEW_READINGS for name in policy.signals)
        size = 1 + len(policy.signals) - reviews
        if [len(row) for row in rows] != [size] * size:
            raise UsageError(
                f"calibration {calibration.version}: `covariance` must have {size} rows of {size} "
                "numbers: one for the base and one for each signal but those of reviews."
            )
