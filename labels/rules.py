"""The parts of a label policy: signals, groups, thresholds, exposure, edits, audit and review."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from labels.readings import READINGS
from schemas.records import Actor
from schemas.yaml_documents import DocumentPart, Flag

PolicyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
ShareValue = Annotated[float, Field(ge=0, le=1)]


class BetaPrior(DocumentPart):
    """A Beta distribution by its mean and by the number of observations it is worth."""

    mean: float = Field(gt=0, lt=1)
    strength: float = Field(default=20, gt=0, le=1e6)

    @property
    def alpha(self) -> float:
        """Return the first parameter of the Beta distribution."""
        return self.mean * self.strength

    @property
    def beta(self) -> float:
        """Return the second parameter of the Beta distribution."""
        return (1 - self.mean) * self.strength


class SignalRule(DocumentPart):
    """One signal: its reading, its actors, what it points to and how far it is believed.

    ``sensitivity``: the share of the answers it points to that it fires on. ``specificity``: the
    share of the others that it does not fire on. Both are among all answers that could have it.
    """

    reading: str = ""
    actors: tuple[Actor, ...] = ()
    points_to: Literal["fail", "pass"]
    sensitivity: BetaPrior
    specificity: BetaPrior
    group: PolicyName | None = None

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        if self.reading and self.reading not in READINGS:
            raise ValueError(f"unknown reading; use one of {', '.join(READINGS)}")
        if self.sensitivity.mean + self.specificity.mean <= 1:
            raise ValueError(
                "contradictory: sensitivity + specificity must be more than 1; otherwise the "
                "signal says nothing, or the opposite of what it points to"
            )
        return self


class SignalGroup(DocumentPart):
    """Signals that tend to come together: their sum counts for at most ``cap`` (log-odds)."""

    cap: float = Field(gt=0, le=20)


class LabelThresholds(DocumentPart):
    """``pass`` up to one probability of fail, ``fail`` from another on, unknown in between."""

    pass_at_most: float = Field(gt=0, lt=1)
    fail_at_least: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.pass_at_most >= self.fail_at_least:
            raise ValueError("contradictory: pass_at_most must be less than fail_at_least")
        return self


class HighSignalRules(DocumentPart):
    """What triggers a label event: a signal of at least ``weight`` (log-odds), or a listed one."""

    weight: float = Field(default=0.5, ge=0)
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class ExposureRules(DocumentPart):
    """Where users could have given feedback at all; elsewhere silence means nothing.

    ``silence_is_labelled``: silence alone triggers a label event, one for each exposed trace.
    """

    everywhere: Flag = False
    apps: tuple[str, ...] = ()
    segments: dict[str, tuple[str, ...]] = Field(default={})
    silence_is_labelled: Flag = False

    @property
    def anywhere(self) -> bool:
        """Return whether there is any exposure."""
        return self.everywhere or bool(self.apps) or bool(self.segments)

    def applies_to(self, app: str | None, segments: Mapping[str, str]) -> bool:
        """Return whether users of this app and these segments could have given feedback."""
        if self.everywhere:
            return True
        in_app = not self.apps or app in self.apps
        in_all = all(segments.get(key) in values for key, values in self.segments.items())
        return self.anywhere and in_app and in_all


class RatingCuts(DocumentPart):
    """Ratings up to ``low`` are bad, from ``high`` on good, and say nothing in between."""

    low: ShareValue = 0.4
    high: ShareValue = 0.8

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError("contradictory: low must be less than high")
        return self


class EditRules(DocumentPart):
    """What a corrected response becomes: the expected response of the trace, or nothing.

    ``actors`` are in order of trust; among corrections by one kind of actor, the latest counts.
    """

    becomes: Literal["expected_response", "nothing"] = "expected_response"
    kinds: tuple[Literal["edit", "correction"], ...] = ("edit", "correction")
    actors: tuple[Actor, ...] = ("reviewer", "agent", "end_user")


class AuditSampling(DocumentPart):
    """The random arm: each trace is drawn with this probability, whatever is known about it.

    The draw is a keyed hash of the trace id. ``apps`` sets other rates for some apps.
    """

    rate: ShareValue = 0.01
    apps: dict[str, ShareValue] = Field(default={})
    seed: str = Field(default="goldpan", pattern=r"^[ -~]{0,64}$")

    def probability(self, app: str | None) -> float:
        """Return the probability with which a trace of ``app`` is drawn."""
        return self.apps.get(app, self.rate) if app is not None else self.rate


class ReviewRules(DocumentPart):
    """How long an item may wait, how many reviewers judge it, and how long a claim lasts."""

    deadline_hours: float = Field(default=72, gt=0, le=24 * 365)
    reviewers: int = Field(default=1, ge=1, le=9)
    lease_minutes: float = Field(default=30, gt=0, le=24 * 60)
    audit_share: ShareValue = 0.5
