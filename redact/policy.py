"""What is redacted, how, and where: a file that a privacy officer can read and sign.

A policy names the types of personal data, from which score each counts and what is put in its
place; rules on the keys of JSON in both directions; lists of words that are always or never
personal; and what differs for a class of fields or for one app. Its hash goes with every row.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from redact.kinds import TYPES
from schemas.errors import UsageError

PRESETS = ("strict", "hipaa", "gdpr", "ccpa")
OFF = "off"
ENGINE = "2"
"""Goes into every policy's hash: it is raised when the detectors find other things than before."""

OperatorName = Literal["placeholder", "pseudonym", "mask", "hash", "drop", "keep"]
FieldClass = Literal["redact", "redact_json"]


def _known(kind: str) -> str:
    if kind not in TYPES:
        raise ValueError(f"{kind} is not a type; known are {', '.join(sorted(TYPES))}")
    return kind


TypeName = Annotated[str, AfterValidator(_known)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What happens to one type: it counts from ``score`` on, and ``operator`` replaces it."""

    operator: OperatorName = "placeholder"
    score: float = Field(default=0.4, ge=0, le=1)


class KeyRules(_Part):
    """Rules on the keys of JSON: ``personal`` maps a key to the type of all that stands below it.

    ``harmless`` lists keys whose values are never a number-like type (phone, card, account).
    Keys are compared without case, spaces, dashes and underscores; `*` stands for any characters.
    """

    personal: dict[str, TypeName] = {}
    harmless: list[str] = []


class Override(_Part):
    """What differs for one class of fields or one app."""

    entities: dict[TypeName, Rule] = {}


class NamesRules(_Part):
    """The model for names in people's free text.

    ``model``: `shipped`, `none`, or the name or path of an installed spaCy model. ``labels`` maps
    labels of the model to types; where empty, the usual ones are known.
    """

    model: str = "shipped"
    labels: dict[str, TypeName] = {}


class SegmentRules(_Part):
    """Which values of the map ``segments`` stay readable; all others are hashed."""

    allow: list[str] = []


class Policy(_Part):
    """A redaction policy, complete and checked."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    description: str = ""
    scope: Literal["lake", "app"] = "lake"
    entities: dict[TypeName, Rule]
    fields: dict[FieldClass, Override] = {}
    apps: dict[str, Override] = {}
    regions: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = ["US", "GB", "DE", "FR"]
    countries: list[Annotated[str, Field(pattern=r"^[a-z]{2}$")]] = ["us", "uk"]
    internal_domains: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,252}$")]] = []
    allow: list[str] = []
    deny: dict[TypeName, list[str]] = {}
    keys: KeyRules = KeyRules()
    names: NamesRules = NamesRules()
    segments: SegmentRules = SegmentRules()
    decode_base64: bool = False
    text_seconds: float = Field(default=2.0, gt=0, le=60)

    @property
    def off(self) -> bool:
        """Tell whether this policy lets everything through."""
        return self.name == OFF

    @property
    def hash(self) -> str:
        """Return 16 hex digits that name this policy and the detectors (`off` for none)."""
        return self.hash_with("")

    def hash_with(self, model: str) -> str:
        """Return the hash of this policy with a model for names, which is told by its identity."""
        if self.off:
            return OFF
        document = {"engine": ENGINE, "model": model, "policy": self.model_dump(mode="json")}
        encoded = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(encoded).hexdigest()[:16]

    def rules(self, field_class: FieldClass | None, app: str = "") -> Mapping[str, Rule]:
        """Return the rules that hold for a class of fields in an app: the app's own win."""
        rules = dict(self.entities)
        if field_class in self.fields:
            rules |= self.fields[field_class].entities
        if app in self.apps:
            rules |= self.apps[app].entities
        return rules

    def replaced(self) -> frozenset[str]:
        """Return the types that are replaced somewhere: what is kept need not be looked for."""
        overrides = [*self.fields.values(), *self.apps.values()]
        parts = [self.entities, *(override.entities for override in overrides)]
        return frozenset(
            kind for part in parts for kind, rule in part.items() if rule.operator != "keep"
        )


def load_policy(source: str) -> Policy:
    """Load a preset by name, a file by path, or `off`.

    Raises:
        UsageError: there is no such preset or file, or it is wrong; with the line and the reason.
    """
    if source == OFF:
        return Policy(name=OFF, entities={})
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


def parse_policy(text: str, name: str) -> Policy:
    """Parse a policy; ``name`` stands for it in messages.

    Raises:
        UsageError: with the line and the reason.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}, line {line}: not YAML ({error.problem}).") from None
    except yaml.YAMLError:
        raise UsageError(f"{name}: not YAML.") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name}, line 1: a policy is a mapping, with `name` and `entities`.")
    _refuse_twice(tree, name)
    if document.get("extends", PRESETS[0]) not in PRESETS:
        line = _line(tree, ("extends",))
        raise UsageError(f"{name}, line {line}: extends: must be one of {', '.join(PRESETS)}.")
    document = _extended(document)
    if document.get("name") == OFF:
        line = _line(tree, ("name",))
        raise UsageError(f"{name}, line {line}: the name `{OFF}` is taken: it means no redaction.")
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path = tuple(part for part in first["loc"] if part != "[key]")
        where = ".".join(str(part) for part in path)
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{name}, line {_line(tree, path)}: {where}: {reason}.") from None


def _extended(document: dict[str, Any]) -> dict[str, Any]:
    """Lay a policy over the preset that it ``extends``: mappings are merged, lists replaced."""
    if "extends" not in document:
        return document
    base = _extended(dict(yaml.safe_load(_preset(document["extends"]))))
    return _laid_over(base, {key: value for key, value in document.items() if key != "extends"})


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = _laid_over(dict(under or {}), value) if both else value
    return merged


def _preset(name: str) -> str:
    return (resources.files("redact") / "policies" / f"{name}.yaml").read_text(encoding="utf-8")


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Return the line (from 1) on which the deepest part of a path that exists stands."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _refuse_twice(node: yaml.Node | None, name: str) -> None:
    """Refuse a key that stands twice in one mapping: YAML would take the last in silence."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_twice(child, name)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise UsageError(f"{name}, line {line}: {key.value} stands here twice.")
            seen.add(key.value)
            _refuse_twice(value, name)
