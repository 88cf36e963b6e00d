"""The redaction policy: what is redacted, how and where, in a file for a privacy officer to sign.

A policy lists the types of personal data, each with a minimum score and an operator that replaces
it; rules on JSON keys in both directions; words that are always or never personal; and differences
for a class of fields or for one app. Its hash is stored with every row.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from redact.policies.data_types import BY_MODEL, BY_PATTERN, DATA_TYPES
from redact.policies.writers import WRITERS, Writer
from schemas.errors import UsageError
from schemas.yaml_documents import (
    DocumentPart,
    Flag,
    line_of_path,
    overlay_mapping,
    read_yaml_mapping,
    validate_document,
)

PRESETS = ("strict", "hipaa", "gdpr", "ccpa")
OFF = "off"
ENGINE_VERSION = "3"
"""Part of every policy's hash: increased when the findings of the detectors change."""

OperatorName = Literal["placeholder", "pseudonym", "mask", "hash", "drop", "keep"]
FieldClass = Literal["redact", "redact_json"]


def _check_type(kind: str) -> str:
    if kind not in DATA_TYPES:
        raise ValueError(f"{kind} is not a type; the types are {', '.join(sorted(DATA_TYPES))}")
    return kind


TypeName = Annotated[str, AfterValidator(_check_type)]


class RedactionRule(DocumentPart):
    """Treatment of one type: it counts from ``score`` up, and ``operator`` replaces it."""

    operator: OperatorName = "placeholder"
    score: float = Field(default=0.4, ge=0, le=1)


class KeyRules(DocumentPart):
    """Rules on JSON keys: ``personal`` maps a key to the type of all values below it.

    ``harmless`` lists keys whose values are never a number-like type (phone, card, account).
    Keys are compared without case, spaces, dashes and underscores; `*` matches any characters.
    With ``words`` keys are also read word by word (``key_words.json``): `customer_ssn_number`,
    `vorname`. Rules win over words, but a harmless one with a star does not win over words that
    name a personal datum.
    """

    words: Flag = True

    personal: dict[str, TypeName] = Field(default_factory=dict)
    harmless: list[str] = Field(default_factory=list)


class PolicyOverride(DocumentPart):
    """Differences for one class of fields or one app."""

    entities: dict[TypeName, RedactionRule] = Field(default_factory=dict)


class NameModelRules(DocumentPart):
    """The name model, which reads free text.

    ``model``: `shipped`, `shipped-large`, `none`, or the name or path of an installed spaCy model.
    ``labels`` maps labels of the model to types; if empty, the usual labels are mapped. ``read``
    lists the writers whose texts the model reads: roles of messages, and other fields that hold
    text.
    """

    model: str = "shipped"
    labels: dict[str, TypeName] = Field(default_factory=dict)
    read: list[Writer] = Field(default=list(WRITERS))


class SegmentRules(DocumentPart):
    """Values of the map ``segments`` that stay readable; all others are hashed."""

    allow: list[str] = Field(default_factory=list)


class RedactionPolicy(DocumentPart):
    """A complete, validated redaction policy.

    ``without_finder`` lists types that it names although nothing finds them.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    description: str = ""
    scope: Literal["lake", "app"] = "lake"
    entities: dict[TypeName, RedactionRule]
    fields: dict[FieldClass, PolicyOverride] = Field(default_factory=dict)
    apps: dict[str, PolicyOverride] = Field(default_factory=dict)
    regions: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = Field(
        default=["US", "GB", "DE", "FR"]
    )
    countries: list[Annotated[str, Field(pattern=r"^[a-z]{2}$")]] = Field(default=["us", "uk"])
    internal_domains: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,252}$")]] = Field(
        default_factory=list
    )
    allow: list[str] = Field(default_factory=list)
    deny: dict[TypeName, list[str]] = Field(default_factory=dict)
    keys: KeyRules = KeyRules()
    names: NameModelRules = NameModelRules()
    segments: SegmentRules = SegmentRules()
    without_finder: list[TypeName] = Field(default_factory=list)
    decode_base64: Flag = False
    text_seconds: float = Field(default=30.0, gt=0, le=600)

    @model_validator(mode="after")
    def _every_type_has_a_finder(self) -> "RedactionPolicy":
        """Refuse types that are to be replaced but that nothing can find."""
        missing = self.replaced_types() - self.detectable_types() - set(self.without_finder)
        if missing:
            kind = min(missing)
            raise ValueError(
                f"entities: nothing in this policy finds {kind}; remove it, give it words "
                f"(`deny`) or keys (`keys.personal`), or confirm that this is "
                f"intended with `without_finder: [{kind}]`"
            )
        return self

    def detectable_types(self) -> frozenset[str]:
        """Return the types that a recogniser, the model, a key or a word can find."""
        by_model = self.names.labels.values() if self.names.labels else BY_MODEL
        by_pattern = BY_PATTERN if self.internal_domains else BY_PATTERN - {"HOST"}
        return by_pattern.union(
            by_model if self.names.model != "none" else (),
            self.keys.personal.values(),
            (kind for kind, words in self.deny.items() if words),
        )

    @property
    def off(self) -> bool:
        """Return whether this policy lets everything through."""
        return self.name == OFF

    @property
    def hash(self) -> str:
        """Return 16 hex digits that identify this policy and the detectors (`off` for none)."""
        return self.hash_with("")

    def hash_with(self, model: str) -> str:
        """Return the hash of this policy with a name model, given its identity.

        The description is not part of it: rewording it changes no behaviour.
        """
        if self.off:
            return OFF
        rules = self.model_dump(mode="json", exclude={"description"})
        document = {"engine": ENGINE_VERSION, "model": model, "policy": rules}
        encoded = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(encoded).hexdigest()[:16]

    def rules(self, field_class: FieldClass | None, app: str = "") -> Mapping[str, RedactionRule]:
        """Return the rules for a class of fields in an app: the app's own rules win."""
        rules = dict(self.entities)
        if field_class in self.fields:
            rules |= self.fields[field_class].entities
        if app in self.apps:
            rules |= self.apps[app].entities
        return rules

    def replaced_types(self) -> frozenset[str]:
        """Return the types that are replaced somewhere: kept types need no detection."""
        overrides = [*self.fields.values(), *self.apps.values()]
        parts = [self.entities, *(override.entities for override in overrides)]
        return frozenset(
            kind for part in parts for kind, rule in part.items() if rule.operator != "keep"
        )


def load_policy(source: str) -> RedactionPolicy:
    """Load a preset by name, a file by path, or `off`.

    Raises:
        UsageError: there is no such preset or file, or it is invalid; with line and reason.
    """
    if source == OFF:
        return RedactionPolicy(name=OFF, entities={})
    if source in PRESETS:
        return parse_policy(_preset(source), source)
    path = Path(source)
    try:
        return parse_policy(path.read_text(encoding="utf-8"), source)
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"GOLDPAN_REDACT__POLICY: {source!r} is neither a preset ({', '.join(PRESETS)}, {OFF}) "
            "nor a file that can be read."
        ) from None


def parse_policy(text: str, name: str) -> RedactionPolicy:
    """Parse a policy; ``name`` identifies it in messages.

    Raises:
        UsageError: the policy is invalid; with line and reason.
    """
    tree, document = read_yaml_mapping(text, name)
    if document.get("extends", PRESETS[0]) not in PRESETS:
        line = line_of_path(tree, ("extends",))
        raise UsageError(f"{name}, line {line}: extends: must be one of {', '.join(PRESETS)}.")
    document = _extend(document)
    if document.get("name") == OFF:
        line = line_of_path(tree, ("name",))
        raise UsageError(f"{name}, line {line}: the name `{OFF}` is taken: it means no redaction.")
    return validate_document(RedactionPolicy, document, tree, name)


def _extend(document: dict[str, Any]) -> dict[str, Any]:
    """Merge a policy over the preset that it ``extends``: mappings are merged, lists replaced."""
    if "extends" not in document:
        return document
    base = _extend(read_yaml_mapping(_preset(document["extends"]), document["extends"])[1])
    return overlay_mapping(
        base, {key: value for key, value in document.items() if key != "extends"}
    )


def _preset(name: str) -> str:
    return (resources.files("redact") / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
