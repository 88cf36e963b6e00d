"""The label policy: which signals count, how much, and what follows from them.

A signal is weighed by its sensitivity (how often it fires on the answers it points to) and its
specificity (how often it stays silent on the others), each with a Beta prior that calibration
updates. Every label event names the policy by name, version and hash.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from labels.readings import (
    ABANDONED,
    ABSENCE_READINGS,
    CONTINUED,
    FEEDBACK_KINDS,
    KIND_OF,
    READINGS,
    RETRY,
    SILENCE,
)
from labels.rules import (
    AuditSampling,
    BetaPrior,
    EditRules,
    ExposureRules,
    HighSignalRules,
    LabelThresholds,
    PolicyName,
    RatingCuts,
    ReviewRules,
    SignalGroup,
    SignalRule,
)
from schemas.errors import UsageError
from schemas.yaml_documents import (
    DocumentPart,
    overlay_mapping,
    read_yaml_mapping,
    validate_document,
)

PRESETS = ("chat_support", "rag", "agent")
OLDER_PRESETS = 1
"""The number of older versions kept of each preset, named `agent@1` and so on.

A lake that was labelled by an older version stays with it: its labels and calibrations belong to
that version.
"""
POLICY_ENGINE = "1"
"""Enters every policy's hash. Raise it when the code decides differently under the same policy."""

MICROS_PER_SECOND = 1_000_000
MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND


class LabelPolicy(DocumentPart):
    """A label policy, complete and validated. Raise ``version`` with every change."""

    name: PolicyName
    version: int = Field(ge=1, le=9999)
    description: str = ""
    window_days: float = Field(default=7, gt=0, le=366)
    base_rate: BetaPrior
    signals: dict[PolicyName, SignalRule] = Field(min_length=1)
    groups: dict[PolicyName, SignalGroup] = Field(default={})
    thresholds: LabelThresholds
    high_signal: HighSignalRules = HighSignalRules()
    exposure: ExposureRules = ExposureRules()
    ratings: RatingCuts = RatingCuts()
    edits: EditRules = EditRules()
    retry_seconds: float = Field(default=180, gt=0, le=86_400)
    audit: AuditSampling = AuditSampling()
    review: ReviewRules = ReviewRules()

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        for name, rule in self.signals.items():
            if rule.reading == "" and name not in READINGS:
                raise ValueError(
                    f"signals.{name}: there is no reading of that name; set `reading` to one of "
                    f"{', '.join(READINGS)}"
                )
            if rule.group is not None and rule.group not in self.groups:
                raise ValueError(f"signals.{name}: there is no group {rule.group}")
            if rule.actors and self.reading_of(name) not in KIND_OF:
                raise ValueError(f"signals.{name}: this reading has no actor; remove `actors`")
        _refuse_overlap(self)
        _refuse_bad_filter(self)
        if SILENCE in self.readings and not self.exposure.anywhere:
            raise ValueError(
                "signals: silence counts, so `exposure` must set everywhere, apps or segments"
            )
        return self

    def reading_of(self, signal: str) -> str:
        """Return the reading of a signal of this policy."""
        return self.signals[signal].reading or signal

    @cached_property
    def readings(self) -> frozenset[str]:
        """The readings that count."""
        return frozenset(self.reading_of(name) for name in self.signals)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of feedback that this policy uses; all others are ignored."""
        edits = self.edits.kinds if self.edits.becomes == "expected_response" else ()
        return frozenset(KIND_OF[reading] for reading in self.readings if reading in KIND_OF) | {
            kind for kind in edits if kind in FEEDBACK_KINDS
        }

    @cached_property
    def kinds_in_order(self) -> tuple[str, ...]:
        """``kinds`` in a fixed order, so that a kind can be stored as a number."""
        return tuple(kind for kind in FEEDBACK_KINDS if kind in self.kinds)

    @cached_property
    def judges_sessions(self) -> bool:
        """Whether the end of a session is evidence."""
        return ABANDONED in self.readings or CONTINUED in self.readings

    @cached_property
    def judges_retries(self) -> bool:
        """Whether a repeated call is evidence."""
        return RETRY in self.readings

    @cached_property
    def _by_reading(self) -> Mapping[tuple[str, str | None], str]:
        signals: dict[tuple[str, str | None], str] = {}
        for name, rule in self.signals.items():
            for actor in rule.actors or (None,):
                signals[self.reading_of(name), actor] = name
        return signals

    def signal_for(self, reading: str, actor: str | None) -> str | None:
        """Return the signal for a reading by an actor; one that names the actor comes first."""
        return self._by_reading.get((reading, actor)) or self._by_reading.get((reading, None))

    @cached_property
    def hash(self) -> str:
        """16 hex digits that identify this policy and the version of the code that applies it."""
        document = {
            "engine": POLICY_ENGINE,
            "policy": self.model_dump(mode="json", exclude={"description"}),
        }
        encoded = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(encoded).hexdigest()[:16]

    @property
    def window_micros(self) -> int:
        """The window of the join, in microseconds."""
        return int(self.window_days * MICROS_PER_DAY)

    @property
    def retry_micros(self) -> int:
        """How soon a call must be repeated to count as a retry, in microseconds."""
        return int(self.retry_seconds * MICROS_PER_SECOND)


def load_label_policy(source: str) -> LabelPolicy:
    """Load a preset by name (`agent`, or `agent@1` for one version of it), or a file by path.

    Raises:
        UsageError: there is no such preset or file, or it is invalid; with line and reason.
    """
    return load_label_policies(source)[0]


def load_label_policies(source: str) -> Sequence[LabelPolicy]:
    """Return the policy of a preset or a file on each version of its preset, newest first.

    Returns one policy if a version of the preset is named, or no preset at all. Raises UsageError
    as `load_label_policy` does.
    """
    base, _, version = source.partition("@")
    if base in PRESETS:
        text = f"extends: {base if not version else source}\n"
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError):
            raise UsageError(
                f"The label policy {source!r} is neither a preset ({', '.join(PRESETS)}) nor a "
                "readable file."
            ) from None
    return parse_label_policies(text, source)


def parse_label_policies(text: str, name: str) -> Sequence[LabelPolicy]:
    """Parse a policy on each version of the preset that it extends, newest first."""
    tree, document = read_yaml_mapping(text, name)
    newest, *older = _versions(document.pop("extends", None), name)

    def parse_on(preset: str) -> LabelPolicy:
        merged = (
            overlay_mapping(read_yaml_mapping(_read_preset(preset), preset)[1], document)
            if preset
            else document
        )
        _refuse_unquoted_names(merged, name)
        return validate_document(LabelPolicy, merged, tree, name)

    policies = [parse_on(newest)]
    for preset in older:
        with suppress(UsageError):  # the file is written for the newest version of the preset
            policies.append(parse_on(preset))
    return policies


def _versions(base: Any, name: str) -> Sequence[str]:
    """Return the file names of a preset, newest version first; an empty name without a preset."""
    if base is None:
        return [""]
    files = {preset: [preset, *_older_versions(preset)] for preset in PRESETS}
    newest = OLDER_PRESETS + 1
    for preset in PRESETS:
        files[f"{preset}@{newest}"] = [preset]
        files |= {f"{preset}@{v}": [f"{preset}-{v}"] for v in range(1, newest)}
    if isinstance(base, str) and base in files:
        return files[base]
    raise UsageError(
        f"{name}: extends: must be one of {', '.join(PRESETS)}; append @1 to @{newest} to choose a "
        "version of the preset."
    )


def _older_versions(preset: str) -> Sequence[str]:
    return [f"{preset}-{version}" for version in range(OLDER_PRESETS, 0, -1)]


def _read_preset(name: str) -> str:
    return (resources.files("labels") / "policies" / f"{name}.yaml").read_text(encoding="utf-8")


def _refuse_unquoted_names(document: Mapping[str, Any], name: str) -> None:
    signals = document.get("signals")
    if isinstance(signals, dict) and any(not isinstance(key, str) for key in signals):
        raise UsageError(
            f"{name}: signals: every name must be text (YAML reads yes, no and on as booleans: "
            "quote them)."
        )


def _refuse_overlap(policy: LabelPolicy) -> None:
    names: dict[tuple[str, str | None], str] = {}
    for name, rule in policy.signals.items():
        for actor in rule.actors or (None,):
            key = (policy.reading_of(name), actor)
            if key in names:
                raise ValueError(
                    f"signals.{name}: contradictory: {names[key]} is the same reading by the same "
                    "actors"
                )
            names[key] = name


def _refuse_bad_filter(policy: LabelPolicy) -> None:
    listed = [*policy.high_signal.always, *policy.high_signal.never]
    for name in listed:
        if name not in policy.signals:
            raise ValueError(f"high_signal: there is no signal {name}")
    if conflicting := set(policy.high_signal.always) & set(policy.high_signal.never):
        raise ValueError(
            f"high_signal: contradictory: always and never {', '.join(sorted(conflicting))}"
        )
    if wrong := [n for n in policy.high_signal.always if policy.reading_of(n) in ABSENCE_READINGS]:
        raise ValueError(f"high_signal: {wrong[0]} cannot make a label event by itself")
