"""The definition of a judge: what it asks, of which rows, what it reads, and by what.

It is a YAML file. Errors name the line and the key. A definition has one digest, and so has each
way of it: that of all that decides an outcome. Raise ``version`` with every change.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from judges.examples import parse_examples
from judges.local.model import task_success_model
from judges.template import TEMPLATE
from judges.ways import (
    CHECK_ENGINE,
    AnyWay,
    ChatWay,
    CheckWay,
    DecisionWay,
    JudgeWay,
    LocalWay,
)
from schemas.errors import UsageError
from schemas.records import Status
from schemas.text_files import decode_text, read_text_file
from schemas.yaml_documents import DocumentPart, read_yaml_mapping, validate_document

JudgeField: TypeAlias = Literal[
    "instructions",
    "conversation",
    "question",
    "response",
    "retrieved",
    "tool_calls",
    "error",
    "expected_response",
]
"""What a judge can read of a row. ``instructions``: the system and developer messages.
``conversation``: the messages before the last one of the user. ``question``: that one, with what
follows it. ``expected_response``: only rows of a release may have it."""
JUDGE_FIELDS: Final[tuple[JudgeField, ...]] = get_args(JudgeField)

_SHORT_NUMBER: Final = re.compile(r"\+?\.[0-9]+\Z")


def short_number(value: Any) -> Any:
    """Read `.2` as 0.2, which YAML's readers disagree about."""
    return float(value) if isinstance(value, str) and _SHORT_NUMBER.match(value) else value


JudgeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
JudgeText = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
ModeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_Share = Annotated[float, BeforeValidator(short_number), Field(ge=0, le=1)]
_Price = Annotated[float, BeforeValidator(short_number), Field(ge=0, le=1e6)]
_Values = Annotated[tuple[str, ...], Field(min_length=1)]


class AppliesRule(DocumentPart):
    """Which rows a judge applies to; all of it must hold, and a row alone decides it.

    ``has`` and ``lacks`` list fields that must, or must not, have content. The rest lists accepted
    values. A row that a rule excludes is not applicable, without a call.
    """

    has: tuple[JudgeField, ...] = ()
    lacks: tuple[JudgeField, ...] = ()
    apps: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    status: tuple[Status, ...] = ()
    segments: dict[str, _Values] = Field(default={})

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if both := sorted(set(self.has) & set(self.lacks)):
            raise ValueError(f"contradictory: {both[0]} is in has and in lacks")
        return self


class InputLimits(DocumentPart):
    """How long a question may be; a row that does not fit is an error.

    ``tokens`` are counted as UTF-8 bytes over three, which is above what tokenizers make of
    English. ``cut: oldest_turns`` leaves out the oldest messages of ``conversation``, and says how
    many; nothing else is ever cut.
    """

    tokens: int = Field(default=6_000, ge=50, le=2_000_000)
    cut: Literal["oldest_turns", "nothing"] = "oldest_turns"


class VerdictThresholds(DocumentPart):
    """``pass`` up to one probability of fail, ``fail`` from another on, unknown in between."""

    pass_at_most: _Share
    fail_at_least: _Share

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.pass_at_most >= self.fail_at_least:
            raise ValueError("contradictory: pass_at_most must be less than fail_at_least")
        return self


DEFAULT_THRESHOLDS: Final = VerdictThresholds(pass_at_most=0.35, fail_at_least=0.65)


class RepeatRule(DocumentPart):
    """Which share of the rows is judged ``times`` times, to measure how often a verdict flips."""

    share: _Share
    times: int = Field(default=2, ge=2, le=20)


class TokenPrice(DocumentPart):
    """What a million tokens cost, in US dollars."""

    input_per_million: _Price
    output_per_million: _Price = 0.0

    def of(self, input_tokens: int, output_tokens: int = 0) -> float:
        """Return what a call costs, in US dollars."""
        spent = input_tokens * self.input_per_million + output_tokens * self.output_per_million
        return spent / 1e6


def _kind_of_decide(value: Any) -> str:
    return "calibrated" if isinstance(value, str) else "thresholds"


_Decide = Annotated[
    Annotated[VerdictThresholds, Tag("thresholds")]
    | Annotated[Literal["calibrated"], Tag("calibrated")],
    Discriminator(_kind_of_decide),
]


class JudgeDefinition(DocumentPart):
    """A judge, complete and validated."""

    judge: JudgeName
    version: int = Field(ge=1, le=999_999)
    description: Annotated[str, StringConstraints(max_length=2_000)] = ""
    asks: JudgeText
    applies: AppliesRule = AppliesRule()
    reads: tuple[JudgeField, ...] = Field(default=("question", "response"), min_length=1)
    limits: InputLimits = InputLimits()
    by: tuple[AnyWay, ...] = Field(min_length=1, max_length=16)
    decide: _Decide = DEFAULT_THRESHOLDS
    repeat: RepeatRule | None = None
    failure_modes: tuple[ModeName, ...] = Field(default=(), max_length=64)
    cost: TokenPrice | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for key, listed in (("reads", self.reads), ("failure_modes", self.failure_modes)):
            if len(set(listed)) < len(listed):
                raise ValueError(f"{key}: something is listed twice")
        if not self.answerable:
            misfits = [_misfit(way, self.judge, self.asks) for way in self.by]
            raise ValueError(f"by: nothing in it can answer this: {misfits[0]}")
        for way in self.by:
            for example in way.examples if isinstance(way, ChatWay) else ():
                if not_read := sorted(set(example.fields) - set(self.reads)):
                    raise ValueError(f"by: an example has {not_read[0]}, which is not in reads")
        return self

    @property
    def name(self) -> str:
        """Return the name of the judge."""
        return self.judge

    @property
    def answerable(self) -> tuple[JudgeWay, ...]:
        """Return the ways that may answer what is asked: those of ``by`` without the misfits."""
        return tuple(way for way in self.by if _misfit(way, self.judge, self.asks) is None)

    @property
    def misfits(self) -> Mapping[str, str]:
        """Return the ways that never answer this judge, such as ``check: citations``, and why."""
        return {
            f"{way.kind}: {way.model}": reason
            for way in self.by
            if (reason := _misfit(way, self.judge, self.asks)) is not None
        }

    @property
    def thresholds(self) -> VerdictThresholds | None:
        """Return the thresholds of the file; None if they are calibrated."""
        return self.decide if isinstance(self.decide, VerdictThresholds) else None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the whole definition (64 hex digits), without its description."""
        return digest_of({"template": TEMPLATE, "definition": self._document()})

    def digest_of_way(self, way: JudgeWay, thresholds: VerdictThresholds | None = None) -> str:
        """Return the digest of this judge as one way answers it: all that decides an outcome.

        ``thresholds`` are those in use where the file says ``calibrated``. Prices, repeats and the
        other ways are left out: they decide no outcome. Neither does the server's address.
        """
        document = self._document()
        for key in ("by", "cost", "repeat"):
            document.pop(key)
        in_use = self.thresholds or thresholds
        document["decide"] = None if in_use is None else in_use.model_dump(mode="json")
        return digest_of({"template": TEMPLATE, "judge": document, "way": _way_document(way)})

    def question_digest_of(self, way: JudgeWay) -> str:
        """Return the digest of all that decides what a way is asked: the key of its calls.

        A change of thresholds or of the rule of ``applies`` leaves it as it is, so that no call is
        paid for again.
        """
        document = {key: self._document()[key] for key in ("asks", "reads", "limits")}
        return digest_of({"template": TEMPLATE, "question": document, "way": _way_document(way)})

    def _document(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude={"description"})


def choose_way(definition: JudgeDefinition, is_configured: Callable[[JudgeWay], bool]) -> JudgeWay:
    """Return the first way that is configured: it answers for the whole run.

    Raises UsageError if none is.
    """
    for way in definition.answerable:
        if is_configured(way):
            return way
    ways = definition.answerable
    served = [way.url_env for way in ways if isinstance(way, ChatWay | DecisionWay)]
    variables = ", ".join(dict.fromkeys(served))
    reasons = "".join(f" {way}: {why}." for way, why in definition.misfits.items())
    raise UsageError(
        f"Judge {definition.judge}: nothing that can answer it is configured; set {variables}."
        + reasons
    )


def load_judge(path: Path) -> JudgeDefinition:
    """Read a definition from a file; the examples that it names lie beside it.

    Raises UsageError with the line and the reason.
    """

    def read_sibling(name: str) -> bytes:
        return (path.parent / name).read_bytes()

    return parse_judge(read_text_file(path, f"The judge {path}"), str(path), read_sibling)


def parse_judge(
    text: str, name: str, read_sibling: Callable[[str], bytes] | None = None
) -> JudgeDefinition:
    """Parse a definition; ``name`` identifies it in messages, ``read_sibling`` reads its examples.

    Raises UsageError with the line and the reason.
    """
    tree, document = read_yaml_mapping(text, name)
    ways = document.get("by")
    if isinstance(ways, list):
        document["by"] = [_with_examples(way, name, read_sibling) for way in ways]
    return validate_document(JudgeDefinition, document, tree, name)


def digest_of(document: Any) -> str:
    """Return the SHA-256 (64 hex digits) of a JSON document in canonical form.

    Keys are sorted, without spaces, in ASCII (as RFC 8785 but for numbers, which Python writes).
    Raises ValueError if a number is not finite.
    """
    encoded = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(encoded.encode("ascii")).hexdigest()


def _misfit(way: JudgeWay, name: str, asks: str) -> str | None:
    return way.misfit(name, asks) if isinstance(way, LocalWay | CheckWay) else None


def _way_document(way: JudgeWay) -> dict[str, Any]:
    document = {"wire": way.wire, **way.model_dump(mode="json", exclude={"url_env", "floating"})}
    if isinstance(way, LocalWay):
        model = task_success_model()
        held_out = document.pop("held_out_by") is not None
        document["weights"] = model.folds_digest if held_out else model.digest
    elif isinstance(way, CheckWay):
        document["engine"] = CHECK_ENGINE
    return document


def _with_examples(way: Any, name: str, read_sibling: Callable[[str], bytes] | None) -> Any:
    file = way.get("examples") if isinstance(way, dict) else None
    if not isinstance(file, str):
        return way
    where = f"{name}: by.examples"
    if read_sibling is None:
        raise UsageError(f"{where}: the file {file} cannot be read from here.")
    try:
        text = decode_text(read_sibling(file))
    except OSError as error:
        raise UsageError(f"{where}: the file {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"{where}: the file {file} cannot be read: {error}.") from None
    return {**way, "examples": parse_examples(text, file)}
