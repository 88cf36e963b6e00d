"""The ways in which a judge can be answered: a server, a model that is here, or a check.

A definition lists ways; the first that is configured answers for a whole run. A failure of one is
never answered by another, since two ways do not judge alike.
"""

import re
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
)

from judges.examples import JudgeExample
from schemas.yaml_documents import DocumentPart, Flag

WayKind: TypeAlias = Literal["chat", "decision", "local", "check"]
WAY_KINDS: Final[tuple[WayKind, ...]] = get_args(WayKind)
Wire: TypeAlias = Literal["chat", "decisions", "systemone", "local", "check"]
"""How the question is sent: ``POST /v1/chat/completions``, ``/v1/decisions`` (OpenAI) or
``/v1/systemone`` (TypeSafe and compatible servers); the last two send nothing."""
CheckName: TypeAlias = Literal[
    "citations",
    "tool_arguments",
    "tool_errors",
    "repeated_calls",
    "empty_answer",
    "refusal",
    "truncated",
    "script",
]
CHECK_NAMES: Final[tuple[CheckName, ...]] = get_args(CheckName)
CHECK_ENGINE: Final = "1"
"""Enters the digest of each check. Raise it when the code decides differently."""
LocalModelName: TypeAlias = Literal["task_success"]

DEFAULT_URL_ENV: Final = "GOLDPAN_JUDGES__URL"
_FLOATING: Final = frozenset({"latest", "newest", "current", "rolling", "nightly", "auto"})
_TASK_NAME: Final = re.compile(r"task|succe(?:ed|ss)|solve|resolv|accomplish|outcome|goal")
_TASK: Final = re.compile(r"\btasks?\b")
_MEANING: Final = re.compile(
    r"faithful|ground(?:ed|ing)|hallucin|supported|entail|contradict|relevan|helpful|factual"
)

ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$")]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")]


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_Examples = Annotated[tuple[JudgeExample, ...], BeforeValidator(_as_tuple)]


def is_floating(model: str) -> bool:
    """Return whether the name of a model is an alias that its server may move, as `x-latest`."""
    return bool(_FLOATING & set(re.split(r"[-_.:/@+ ]", model.casefold())))


class _ServedWay(DocumentPart):
    """Base of the ways that are a server.

    ``url_env`` names the environment variable with the server's address. ``floating`` accepts a
    model name that the server may move; each model that it serves is then an epoch of its own.
    """

    url_env: EnvironmentName = DEFAULT_URL_ENV
    floating: Flag = False

    @field_validator("chat", "decision", check_fields=False)
    @classmethod
    def _is_pinned(cls, model: str, info: ValidationInfo) -> str:
        if is_floating(model) and not info.data.get("floating"):
            raise ValueError(
                f"{model} may be another model tomorrow; name a version, or set "
                "`floating: true`, by which each served model becomes an epoch of its own"
            )
        return model


class ChatWay(_ServedWay):
    """A chat model that replies in the schema of the verdict.

    ``examples``: a file of JSON lines beside the definition, shown to the model before the
    question. ``temperature`` is not sent unless set, since some models refuse it. ``max_tokens``
    limits the reply; a reply that is cut is an error. ``logprobs`` asks for the probabilities of
    the verdict's own token, where the server has them.
    """

    chat: ModelName
    examples: _Examples = Field(default=(), max_length=64)
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=100_000)
    logprobs: Flag = False

    @property
    def kind(self) -> WayKind:
        """Return the kind of this way."""
        return "chat"

    @property
    def model(self) -> str:
        """Return the model that is asked for."""
        return self.chat

    @property
    def wire(self) -> Wire:
        """Return how the question is sent."""
        return "chat"


class DecisionWay(_ServedWay):
    """A decision model: it returns a probability and no text."""

    decision: ModelName
    protocol: Literal["decisions", "systemone"] = Field(default="decisions", alias="wire")

    @property
    def kind(self) -> WayKind:
        """Return the kind of this way."""
        return "decision"

    @property
    def model(self) -> str:
        """Return the model that is asked for."""
        return self.decision

    @property
    def wire(self) -> Wire:
        """Return how the question is sent."""
        return self.protocol


class LocalWay(DocumentPart):
    """A model that is shipped with goldpan and knows one question.

    ``held_out_by`` is for the conversations that the model was trained on: it names the attribute
    that holds their task, and the weights that never saw that task answer. Traces without it, or
    of another task, are answered by the shipped weights.
    """

    local: LocalModelName
    held_out_by: AttributeName | None = None

    @property
    def kind(self) -> WayKind:
        """Return the kind of this way."""
        return "local"

    @property
    def model(self) -> str:
        """Return the name of the model."""
        return self.local

    @property
    def wire(self) -> Wire:
        """Return that nothing is sent."""
        return "local"

    def misfit(self, name: str, asks: str) -> str | None:
        """Return why this model cannot answer a judge, or None.

        The judge's name must speak of success, or its question of a task.
        """
        if _TASK_NAME.search(name) or _TASK.search(asks.casefold()):
            return None
        return f"the local model {self.local} knows whether a task was done, and not what this asks"


class CheckWay(DocumentPart):
    """A deterministic check: exact about form, and blind to meaning."""

    check: CheckName

    @property
    def kind(self) -> WayKind:
        """Return the kind of this way."""
        return "check"

    @property
    def model(self) -> str:
        """Return the name of the check."""
        return self.check

    @property
    def wire(self) -> Wire:
        """Return that nothing is sent."""
        return "check"

    def misfit(self, name: str, asks: str) -> str | None:
        """Return why this check cannot answer a judge, or None.

        A check sees form. That a citation exists does not make an answer faithful, so a judge
        whose name or question speaks of meaning is not answered by one.
        """
        meaning = _MEANING.search(f"{name} {asks}".casefold())
        if meaning is None:
            return None
        return f"the check {self.check} sees form, and cannot tell what is asked ({meaning[0]}…)"


ServedWay: TypeAlias = ChatWay | DecisionWay
JudgeWay: TypeAlias = ChatWay | DecisionWay | LocalWay | CheckWay


def _kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return f"{next(kind for kind in WAY_KINDS if kind in value)} way"
    return f"{value.kind} way" if isinstance(value, JudgeWay) else ""


def _one_kind(value: Any) -> Any:
    """Refuse a way of no kind, or of two kinds."""
    if isinstance(value, JudgeWay):
        return value
    kinds = [kind for kind in WAY_KINDS if isinstance(value, dict) and kind in value]
    if len(kinds) != 1:
        raise ValueError(f"each way is one of {', '.join(WAY_KINDS)}, as in `check: citations`")
    return value


AnyWay = Annotated[
    Annotated[
        Annotated[ChatWay, Tag("chat way")]
        | Annotated[DecisionWay, Tag("decision way")]
        | Annotated[LocalWay, Tag("local way")]
        | Annotated[CheckWay, Tag("check way")],
        Discriminator(_kind_of),
    ],
    BeforeValidator(_one_kind),
]
"""A way as it stands in the list ``by`` of a definition."""
