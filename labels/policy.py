"""The label policy: a file that says which signals count, for how much, and what follows from it.

A signal is believed by its sensitivity (how often it fires on the answers it points at) and its
specificity (how often it stays silent on the others), each with a Beta prior that calibration
moves. Every label event names the policy by name, version and hash.
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
"""So many older versions of each preset are kept, named `agent@1` and so on.

A lake that was labelled by one stays with it: its labels and calibrations belong to that version.
"""
POLICY_ENGINE = "1"
"""Goes into every policy's hash: raised when the same policy decides otherwise than before."""

MICROS_PER_SECOND = 1_000_000
MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND


class LabelPolicy(DocumentPart):
    """A label policy, complete and checked. Raise ``version`` with every change of it."""

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
    def _fits_together(self) -> Self:
        for name, rule in self.signals.items():
            if rule.reading == "" and name not in READINGS:
                raise ValueError(
                    f"signals.{name}: no reading of that name; give `reading`, one of "
                    f"{', '.join(READINGS)}"
                )
            if rule.group is not None and rule.group not in self.groups:
                raise ValueError(f"signals.{name}: there is no group {rule.group}")
            if rule.actors and self.reading_of(name) not in KIND_OF:
                raise ValueError(f"signals.{name}: nobody gives it, so it can have no actors")
        _refuse_overlap(self)
        _refuse_bad_filter(self)
        if SILENCE in self.readings and not self.exposure.anywhere:
            raise ValueError("signals: silence counts, but exposure names no place where it could")
        return self

    def reading_of(self, signal: str) -> str:
        """Return the reading that a signal of this policy is."""
        return self.signals[signal].reading or signal

    @cached_property
    def readings(self) -> frozenset[str]:
        """Every reading that counts."""
        return frozenset(self.reading_of(name) for name in self.signals)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of feedback that this policy looks at; all others are as if they were not."""
        edits = self.edits.kinds if self.edits.becomes == "expected_response" else ()
        return frozenset(KIND_OF[reading] for reading in self.readings if reading in KIND_OF) | {
            kind for kind in edits if kind in FEEDBACK_KINDS
        }

    @cached_property
    def kinds_in_order(self) -> tuple[str, ...]:
        """The same in a fixed order, so that a kind can be kept as a number."""
        return tuple(kind for kind in FEEDBACK_KINDS if kind in self.kinds)

    @cached_property
    def judges_sessions(self) -> bool:
        """Tell whether the end of a session is evidence."""
        return ABANDONED in self.readings or CONTINUED in self.readings

    @cached_property
    def judges_retries(self) -> bool:
        """Tell whether a call that was made again is evidence."""
        return RETRY in self.readings

    @cached_property
    def _by_reading(self) -> Mapping[tuple[str, str | None], str]:
        found: dict[tuple[str, str | None], str] = {}
        for name, rule in self.signals.items():
            for actor in rule.actors or (None,):
                found[self.reading_of(name), actor] = name
        return found

    def signal_for(self, reading: str, actor: str | None) -> str | None:
        """Return the signal that a reading by an actor is; one that names the actor comes first."""
        return self._by_reading.get((reading, actor)) or self._by_reading.get((reading, None))

    @cached_property
    def hash(self) -> str:
        """16 hex digits that name what this policy says and the code that carries it out."""
        document = {
            "engine": POLICY_ENGINE,
            "policy": self.model_dump(mode="json", exclude={"description"}),
        }
        encoded = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(encoded).hexdigest()[:16]

    @property
    def window_micros(self) -> int:
        """The window of the join in microseconds."""
        return int(self.window_days * MICROS_PER_DAY)

    @property
    def retry_micros(self) -> int:
        """How soon a call must be made again to count as a retry, in microseconds."""
        return int(self.retry_seconds * MICROS_PER_SECOND)


def load_label_policy(source: str) -> LabelPolicy:
    """Load a preset by name (`agent`, or `agent@1` for that version of it), or a file by path.

    Raises:
        UsageError: there is no such preset or file, or it is wrong; with the line and the reason.
    """
    return load_label_policies(source)[0]


def load_label_policies(source: str) -> Sequence[LabelPolicy]:
    """Return what a preset or a file says, over each version of the preset, the newest first.

    Only one if a version of the preset is named, or if no preset is. Raises UsageError as
    `load_label_policy` does.
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
                "file that can be read."
            ) from None
    return parse_label_policies(text, source)


def parse_label_policy(text: str, name: str) -> LabelPolicy:
    """Parse a policy; ``name`` stands for it in messages. ``extends`` lays it over a preset.

    Raises:
        UsageError: with the line and the reason.
    """
    return parse_label_policies(text, name)[0]


def parse_label_policies(text: str, name: str) -> Sequence[LabelPolicy]:
    """Return the policy over each version of the preset that it extends, the newest first."""
    tree, document = read_yaml_mapping(text, name)
    newest, *older = _versions(document.pop("extends", None), name)

    def over(base: str) -> LabelPolicy:
        whole = (
            overlay_mapping(read_yaml_mapping(_preset(base), base)[1], document)
            if base
            else document
        )
        _refuse_empty_names(whole, name)
        return validate_document(LabelPolicy, whole, tree, name)

    found = [over(newest)]
    for base in older:
        with suppress(UsageError):  # written for the newest: over an older one it says nothing
            found.append(over(base))
    return found


def _versions(base: Any, name: str) -> Sequence[str]:
    """Return the files of a preset, the newest version first; one without a name for none."""
    if base is None:
        return [""]
    files = {each: [each, *_older(each)] for each in PRESETS}
    newest = OLDER_PRESETS + 1
    for each in PRESETS:
        files[f"{each}@{newest}"] = [each]
        files |= {f"{each}@{v}": [f"{each}-{v}"] for v in range(1, newest)}
    if isinstance(base, str) and base in files:
        return files[base]
    raise UsageError(
        f"{name}: extends: must be one of {', '.join(PRESETS)}, each with @1 to @{newest} behind "
        "it if one version of it is meant."
    )


def _older(preset: str) -> Sequence[str]:
    return [f"{preset}-{version}" for version in range(OLDER_PRESETS, 0, -1)]


def _preset(name: str) -> str:
    return (resources.files("labels") / "policies" / f"{name}.yaml").read_text(encoding="utf-8")


def _refuse_empty_names(document: Mapping[str, Any], name: str) -> None:
    signals = document.get("signals")
    if isinstance(signals, dict) and any(not isinstance(key, str) for key in signals):
        raise UsageError(f"{name}: signals: every name must be a text (YAML reads yes, no, on…).")


def _refuse_overlap(policy: LabelPolicy) -> None:
    seen: dict[tuple[str, str | None], str] = {}
    for name, rule in policy.signals.items():
        for actor in rule.actors or (None,):
            key = (policy.reading_of(name), actor)
            if key in seen:
                raise ValueError(
                    f"signals.{name}: contradictory: {seen[key]} is the same reading by the same "
                    "actors"
                )
            seen[key] = name


def _refuse_bad_filter(policy: LabelPolicy) -> None:
    listed = [*policy.high_signal.always, *policy.high_signal.never]
    for name in listed:
        if name not in policy.signals:
            raise ValueError(f"high_signal: there is no signal {name}")
    if both := set(policy.high_signal.always) & set(policy.high_signal.never):
        raise ValueError(f"high_signal: contradictory: always and never {', '.join(sorted(both))}")
    if wrong := [n for n in policy.high_signal.always if policy.reading_of(n) in ABSENCE_READINGS]:
        raise ValueError(f"high_signal: {wrong[0]} cannot make a label event by itself")
