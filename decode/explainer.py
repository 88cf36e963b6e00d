"""Explains in one sentence which rule of the contract a record breaks.

The typed decoder (msgspec) reports errors as text that may contain names and values of the record.
Only its known messages are recognised, and only names from the contract are repeated. The rule is
worded from the contract; any other message gets a general sentence.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from decode.refusal import Refusal
from schemas.contract import Contract, ContractField, FieldLimits, FieldType
from schemas.reasons import QuarantineReason
from schemas.record_rules import TIME_RULE


class RecordPath(NamedTuple):
    """A location in a record: ``path`` as in the contract, ``shown`` with the index of each item.

    ``field`` is None for the record itself. ``item`` marks a part of the field: one object of a
    list (``field`` is None too) or one value of a map.
    """

    path: str
    shown: str
    field: ContractField | None
    item: bool = False

    @property
    def named(self) -> str | None:
        """The path of this field or of the field that contains it; None for the record itself."""
        return self.path.removesuffix("[]") or None

    @property
    def subject(self) -> str:
        """The name used for it in a sentence."""
        return f"`{self.shown}`" if self.shown else "The record"


class ErrorExplainer:
    """Explains the errors of the typed decoder for one kind of record."""

    def __init__(self, contract: Contract) -> None:
        self._fields = {field.path: field for field in contract.walk()}

    def explain(self, message: str, document: Any = None) -> Refusal:
        """Return the refusal for a message of ``msgspec.ValidationError``.

        ``document`` is the decoded record, if available. It is used only to distinguish a number
        that is not finite from one that is out of range.
        """
        rule, location = self._split(message)
        if location is None:
            return _UNEXPLAINED
        if location.field is not None and _is_not_finite(document, location):
            return refuse_not_finite(location)
        for pattern, answer in _ANSWERS:
            if match := pattern.fullmatch(rule):
                return answer(self, location, match)
        return _UNEXPLAINED

    def locate(self, steps: list[str | int]) -> RecordPath:
        """Return the location that keys and indexes lead to, as far as the contract knows it."""
        location = _ROOT
        for step in steps:
            further = self._step(location, step)
            if further is None:
                break
            location = further
        return location

    def child(self, location: RecordPath, name: str) -> RecordPath | None:
        """Return the field ``name`` of the record at ``location``."""
        return self._step(location, name)

    def _split(self, message: str) -> tuple[str, RecordPath | None]:
        """Split a message into rule and location. A location that the contract lacks is None."""
        rule, separator, suffix = message.rpartition(" - at `")
        if not separator:
            return message, _ROOT
        steps = _STEP.findall(suffix)
        if "".join(f".{name}" if name else index for name, index in steps) + "`" != suffix[1:]:
            return message, None
        location: RecordPath | None = _ROOT
        for name, index in steps:
            if location is None:
                break
            if index == "[...]":
                return rule, location._replace(item=True)
            location = self._step(location, name or int(index[1:-1]))
        return rule, location

    def _step(self, location: RecordPath, step: str | int) -> RecordPath | None:
        if isinstance(step, int):
            return _item(location, step)
        if location.field is not None:
            return None
        prefix = f"{location.path}." if location.path else ""
        shown = f"{location.shown}." if location.shown else ""
        field = self._fields.get(prefix + step)
        return RecordPath(field.path, shown + field.name, field) if field else None


def refuse_not_finite(location: RecordPath) -> Refusal:
    """Return the refusal of a number that is NaN or infinite."""
    return Refusal(
        QuarantineReason.NOT_FINITE, f"{location.subject} must be a finite number.", location.named
    )


def refuse_bad_text(location: RecordPath) -> Refusal:
    """Return the refusal of text that is not valid Unicode."""
    return Refusal(
        QuarantineReason.BAD_TEXT,
        f"{location.subject} holds text that is not valid Unicode.",
        location.named,
    )


def describe_type(field: ContractField) -> str:
    """Return in words what type a field must have."""
    if field.type is FieldType.ENUM:
        return f"one of {', '.join(field.symbols)}"
    return _SHAPES[field.type]


def _item(location: RecordPath, index: int) -> RecordPath | None:
    if location.field is None or location.field.type is not FieldType.RECORDS:
        return None
    return RecordPath(f"{location.path}[]", f"{location.shown}[{index}]", None, item=True)


def _is_not_finite(document: Any, location: RecordPath) -> bool:
    value = document
    for name, index in _STEP.findall(f".{location.shown}"):
        try:
            value = value[name] if name else value[int(index[1:-1])]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(value, float) and not math.isfinite(value)


def _missing(explainer: ErrorExplainer, location: RecordPath, match: re.Match[str]) -> Refusal:
    field = explainer.child(location, match["name"])
    if field is None:
        return _UNEXPLAINED
    return Refusal(
        QuarantineReason.MISSING_FIELD,
        f"{location.subject} lacks `{match['name']}`, which the contract requires.",
        field.path,
    )


def _unknown(_: ErrorExplainer, location: RecordPath, __: re.Match[str]) -> Refusal:
    return Refusal(
        QuarantineReason.UNKNOWN_FIELD,
        f"{location.subject} has a field that the contract does not know.",
        location.named,
    )


def _type(_: ErrorExplainer, location: RecordPath, match: re.Match[str]) -> Refusal:
    return _wrong_type(location, _TYPE_WORDS.get(match["got"]))


def _huge_number(explainer: ErrorExplainer, location: RecordPath, match: re.Match[str]) -> Refusal:
    """Return the refusal of a number that no double can hold, even in a field that takes none."""
    if location.field is not None and location.field.type in _NUMBERS:
        return _range(explainer, location, match)
    return _wrong_type(location, "a number")


def _wrong_type(location: RecordPath, got: str | None) -> Refusal:
    but = f", but is {got}" if got else ""
    if location == _ROOT:
        return Refusal(QuarantineReason.NOT_AN_OBJECT, f"The record must be a JSON object{but}.")
    if location.field is None:
        rule = f"{location.subject} must be an object"
    elif location.item:
        rule = f"Each value of {location.subject} must be text"
        but = f", but one is {got}" if got else ""
    else:
        rule = f"{location.subject} must be {describe_type(location.field)}"
    return Refusal(QuarantineReason.WRONG_TYPE, f"{rule}{but}.", location.named)


def _range(_: ErrorExplainer, location: RecordPath, __: re.Match[str]) -> Refusal:
    if location.field is None:
        return _UNEXPLAINED
    return Refusal(
        QuarantineReason.OUT_OF_RANGE,
        f"{location.subject} {_limit_rule(location.field)}.",
        location.named,
    )


def _time(_: ErrorExplainer, location: RecordPath, __: re.Match[str]) -> Refusal:
    return Refusal(
        QuarantineReason.WRONG_TYPE,
        f"{location.subject} must be {_SHAPES[FieldType.TIMESTAMP]}.",
        location.named,
    )


def _enum(_: ErrorExplainer, location: RecordPath, __: re.Match[str]) -> Refusal:
    if location.field is None:
        return _UNEXPLAINED
    return Refusal(
        QuarantineReason.OUT_OF_RANGE,
        f"{location.subject} must be {describe_type(location.field)}.",
        location.named,
    )


def _limit_rule(field: ContractField) -> str:
    limits = field.limits
    if field.type is FieldType.TIMESTAMP:
        return TIME_RULE
    if limits.max_length is not None:
        return f"must have {limits.min_length or 0} to {limits.max_length} characters"
    if field.type is FieldType.LONG:
        return f"must be a whole number {_between(limits)}that fits 64 bits"
    return f"must be a number {_between(limits)}that a double can hold"


def _between(limits: FieldLimits) -> str:
    if limits.minimum is not None and limits.maximum is not None:
        return f"from {limits.minimum:g} to {limits.maximum:g} "
    if limits.minimum is not None:
        return f"of at least {limits.minimum:g} "
    return ""


_ROOT: Final = RecordPath("", "", None)

_UNEXPLAINED: Final = Refusal(
    QuarantineReason.WRONG_TYPE, "The record does not have the shape that the contract requires."
)

_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|(\[(?:\d+|\.\.\.)\])")

_SHAPES: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "text",
    FieldType.LONG: "a whole number",
    FieldType.DOUBLE: "a number",
    FieldType.BYTES: "bytes",
    FieldType.TIMESTAMP: "a time: RFC 3339 with its zone, or whole microseconds since 1970 (UTC)",
    FieldType.MAP: "an object whose values are text",
    FieldType.RECORDS: "a list of objects",
}

_NUMBERS: Final = (FieldType.LONG, FieldType.DOUBLE, FieldType.TIMESTAMP)

_TYPE_WORDS: Final[Mapping[str, str]] = {
    "str": "text",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "bytes": "bytes",
}

_Answer = Callable[[ErrorExplainer, RecordPath, re.Match[str]], Refusal]

_ANSWERS: Final[tuple[tuple[re.Pattern[str], _Answer], ...]] = (
    (re.compile(r"Object missing required field `(?P<name>\w+)`"), _missing),
    (re.compile(r"Object contains unknown field `.*`", re.DOTALL), _unknown),
    (re.compile(r"Expected `[\w |]+`, got `(?P<got>\w+)`"), _type),
    (re.compile(r"Expected `\w+` (of length )?[<>]=? \S+"), _range),
    (re.compile(r"(Number|Integer value) out of range"), _huge_number),
    (re.compile(r"Invalid enum value .*", re.DOTALL), _enum),
    (re.compile(r"Invalid RFC3339 encoded datetime"), _time),
    (re.compile(r"Expected `datetime` with a timezone component"), _time),
)
